"""The words of a prototxt: identifiers, numbers, strings and symbols, each with its place in the text.

What counts as a word is what the original takes: ``#`` comments, ``1.5f``, octal and hexadecimal integers, strings
in either quote that end in the line where they start.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import PrototxtError

_BLANK = re.compile(r"(?:[ \t\r\n\v\f]+|#[^\n\0]*)*")
_WORD = re.compile(
    r"""(?P<identifier>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<integer>(?:0[xX][0-9a-fA-F]+|0[0-7]+|0|[1-9][0-9]*)(?![A-Za-z_.0-9]))
    |(?P<real>(?!0[0-9])(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?(?![A-Za-z_.0-9]))
    |(?P<string>"[^"\\\n\0]*(?:\\[^\n\0][^"\\\n\0]*)*"|'[^'\\\n\0]*(?:\\[^\n\0][^'\\\n\0]*)*')
    |(?P<symbol>[{}<>\[\]:,;-])""",
    re.VERBOSE,
)
_NUMBER_LIKE = re.compile(r"\.?[0-9][0-9A-Za-z_.]*")
_ESCAPE = re.compile(
    rb"""\\(?: (?P<octal>[0-7]{1,3}) | [xX](?P<hex>[0-9a-fA-F]{1,2}) | (?P<letter>[abfnrtv\\?'"])
    | (?P<utf16>u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*) | U(?P<utf32>00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4})
    | . )""",
    re.VERBOSE | re.DOTALL,
)
_LETTERS = dict(zip(b"abfnrtv\\?'\"", b"\a\b\f\n\r\t\v\\?'\"", strict=True))


class Token(NamedTuple):
    """One word: its kind (identifier, integer, real, string, symbol or end), its text and where it starts."""

    kind: str
    text: str
    start: int


class Source:
    """A text with the name of its file (or None), able to say where an offset lies."""

    def __init__(self, text: str, file: str | None = None):
        self.text, self.file = text, file
        self._lines: list[int] = []

    def position(self, offset: int) -> tuple[int, int]:
        """Return line and column, both from 1, of a character."""
        if not self._lines:
            self._lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        line = bisect.bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def error(self, offset: int, message: str) -> PrototxtError:
        """Return, not raise, an error that points at a character."""
        return PrototxtError(message, self.file, *self.position(offset))

    def tokens(self) -> Iterator[Token]:
        """Yield the words, then one of kind "end". Raises PrototxtError at the first thing that is no word."""
        text, offset = self.text, 0
        while True:
            offset = _BLANK.match(text, offset).end()  # type: ignore[union-attr] # matches nothing at least
            if offset == len(text):
                yield Token("end", "the end of the text", offset)
                return
            match = _WORD.match(text, offset)
            if match is None:
                raise self.error(offset, _what_is_wrong(text, offset))
            yield Token(match.lastgroup or "", match[0], offset)
            offset = match.end()


def _what_is_wrong(text: str, offset: int) -> str:
    """Say why no word starts here."""
    start = text[offset]
    number = _NUMBER_LIKE.match(text, offset)
    if number:
        return f"'{number[0][:40]}' is not a number (a leading 0 means octal, 0x hexadecimal)"
    if start in "\"'":
        return f"this string has no closing {start} in its line"
    if start == "/":
        return "'/' means nothing here; a comment starts with '#'"
    if start == "+":
        return "a number takes no '+'"
    if start == "\ufeff":
        return "the file starts with a byte order mark; save it as UTF-8 without one"
    if not start.isprintable():
        return f"control character or invalid byte {start!a} found; is this a text file?"
    return f"unexpected character '{start}'"


def string_value(source: Source, token: Token) -> bytes:
    """Return the bytes of a string token, its escapes resolved. Raises PrototxtError for an escape that is none."""

    def resolve(match: re.Match[bytes]) -> bytes:
        if match["octal"]:
            return bytes([int(match["octal"], 8) & 0xFF])
        if match["hex"]:
            return bytes([int(match["hex"], 16)])
        if match["letter"]:
            return bytes([_LETTERS[match["letter"][0]]])
        if match["utf16"]:  # two halves may make one character; a lone half stays and is no UTF-8
            halves = bytes.fromhex(match["utf16"].replace(b"\\", b"").replace(b"u", b"").decode())
            return halves.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
        if match["utf32"]:
            return chr(int(match["utf32"], 16)).encode("utf-8", "surrogatepass")
        where = token.start + 1 + len(raw[: match.start()].decode("utf-8", "surrogateescape"))
        raise source.error(where, f"'{match[0].decode('utf-8', 'replace')}' is not an escape sequence in a string")

    raw = token.text[1:-1].encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(resolve, raw) if b"\\" in raw else raw
