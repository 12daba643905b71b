"""Read prototxt text into a message, strictly as the original does, with errors that say where and what to do.

Where protobuf's own Python reader differs (``- 4``, ``0x1`` for a boolean, unknown escapes ...), this one follows
Caffe. The depth of nesting is bounded by the schema, which has no recursive message.
"""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from ..errors import MissingFileError, PrototxtError
from . import forks
from .schema import is_repeated
from .tokens import Source, Token, string_value

_INTEGER_BITS = {
    FieldDescriptor.CPPTYPE_INT32: (31, True),
    FieldDescriptor.CPPTYPE_INT64: (63, True),
    FieldDescriptor.CPPTYPE_UINT32: (32, False),
    FieldDescriptor.CPPTYPE_UINT64: (64, False),
}
_REAL_NAMES = {"inf": float("inf"), "infinity": float("inf"), "nan": float("nan")}
_BOOLEAN_NAMES = {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}
_CLOSING = {"{": "}", "<": ">"}
_LONGEST_LIST = 8  # names that an error message enumerates
_LONGEST_WORD = 60  # characters of a word that it quotes
_MOST_DIGITS = 64  # more than any integer in range has

FieldPath = tuple[Any, ...]
Positions = dict[FieldPath, tuple[int, int]]


def parse(text: str, message: Any, file: str | None = None, positions: Positions | None = None) -> Any:
    """Replace the contents of `message` by what `text` says, and return it.

    `file` is the name that errors show. `positions`, if given, receives (line, column) of every field, by its path
    in the message: ``("layer", 3)``, ``("layer", 3, "pooling_param", "stride")``, ``("layer", 3, "bottom", 0)``.
    Bytes of a string that are not UTF-8 are kept, as ``bytes``. A text with fields of a well-known fork is read
    with these (see :mod:`.forks`). Raises PrototxtError.
    """
    message.Clear()
    try:
        _Parser(Source(text, file), positions).parse(message)
    except UnknownNameError as error:
        if not forks.may_hold(message) or error.name not in forks.names():
            raise
        shown = forks.message_class(message.DESCRIPTOR.name)()
        message.Clear()
        if positions is not None:
            positions.clear()
        _Parser(Source(text, file), positions).parse(shown)
        forks.carry(shown, message, file)
    return message


def parse_file(path: str | os.PathLike[str], message_class: Any, positions: Positions | None = None) -> Any:
    """Return a new `message_class` read from a file; see :func:`parse`.

    A folder in place of a file gives an empty message and a warning, as the original takes it.
    Raises MissingFileError when there is no such file or it cannot be read, PrototxtError for its contents.
    """
    name = os.fspath(path)
    if os.path.isdir(name):
        logging.getLogger(__name__).warning("%s is a folder, not a file: read as an empty text", name)
        return message_class()
    try:
        with open(name, "rb") as file:
            data = file.read()
    except OSError as error:
        raise MissingFileError(f"cannot open file '{name}': {error.strerror}", name) from error
    # Comments may be in any encoding, and a string keeps bytes that are not UTF-8.
    return parse(data.decode("utf-8", "surrogateescape"), message_class(), name, positions)


class UnknownNameError(PrototxtError):
    """A field or an enum value that the schema does not have; `name` is what the text has."""

    def __init__(self, error: PrototxtError, name: str) -> None:
        Exception.__init__(self, *error.args)
        self.file, self.line, self.column, self.name = error.file, error.line, error.column, name


class _Parser:
    """Recursive descent over the tokens, led by the descriptors; `token` is the one not yet consumed."""

    def __init__(self, source: Source, positions: Positions | None):
        self.source, self.positions = source, positions
        self.tokens = source.tokens()
        self.token = next(self.tokens)

    def parse(self, message: Any) -> None:
        self._fields(message, (), 0, closing=None)

    # ---- words ----

    def _advance(self) -> Token:
        token = self.token
        self.token = next(self.tokens, token)
        return token

    def _accept(self, symbol: str) -> bool:
        if self.token.kind == "symbol" and self.token.text == symbol:
            self._advance()
            return True
        return False

    def _expect(self, symbol: str, hint: str = "") -> None:
        if not self._accept(symbol):
            raise self._error(f"expected '{symbol}'{hint}, found {self._found()}")

    def _found(self) -> str:
        word = self.token.text
        if len(word) > _LONGEST_WORD:
            word = word[:_LONGEST_WORD] + "..."
        return word if self.token.kind in ("end", "string") else f"'{word}'"

    def _error(self, message: str, token: Token | None = None) -> PrototxtError:
        return self.source.error((token or self.token).start, message)

    # ---- messages ----

    def _fields(self, message: Any, path: FieldPath, opened: int, closing: str | None) -> None:
        """Read fields up to the closing bracket, or to the end of the text if there is none."""
        seen: dict[str, int] = {}
        while not self._at_end_of(closing, opened):
            name = self._field_name(message)
            field = message.DESCRIPTOR.fields_by_name[name.text]
            if not is_repeated(field) and seen.setdefault(field.name, name.start) != name.start:
                line, column = self.source.position(seen[field.name])
                raise self._error(f"'{field.name}' is given twice; it was first given at {line}:{column}", name)
            self._field(message, field, name, path)
            if not self._accept(";"):
                self._accept(",")
        if closing:
            self._advance()
        self._check_required(message, path, opened)

    def _at_end_of(self, closing: str | None, opened: int) -> bool:
        if self.token.kind == "end":
            if closing:
                line, column = self.source.position(opened)
                raise self._error(f"the text ends, but the bracket opened at {line}:{column} lacks its '{closing}'")
            return True
        return closing is not None and self.token.kind == "symbol" and self.token.text == closing

    def _field_name(self, message: Any) -> Token:
        if self.token.kind != "identifier":
            hint = "; is a bracket closed once too often?" if self.token.text in ("}", ">") else ""
            raise self._error(f"expected the name of a field, found {self._found()}{hint}")
        token = self._advance()
        names = message.DESCRIPTOR.fields_by_name
        if token.text not in names:
            kind = message.DESCRIPTOR.name
            error = self._error(f"{kind} has no field '{token.text}'{did_you_mean(token.text, names)}", token)
            raise UnknownNameError(error, token.text)
        return token

    def _field(self, message: Any, field: Any, name: Token, path: FieldPath) -> None:
        if field.message_type is None:
            self._expect(":", f" after '{field.name}'")
        else:
            self._accept(":")
        if not (is_repeated(field) and self._accept("[")):
            self._one_value(message, field, name, path)
            return
        if self._accept("]"):
            return
        while True:
            self._one_value(message, field, self.token, path)
            if self._accept("]"):
                return
            self._expect(",", " or ']' in the list")

    def _one_value(self, message: Any, field: Any, place: Token, path: FieldPath) -> None:
        """Read one value and store it; `place` is what its position in the text shall be."""
        values = getattr(message, field.name) if is_repeated(field) else None
        path = (*path, field.name) if values is None else (*path, field.name, len(values))
        if self.positions is not None:
            self.positions[path] = self.source.position(place.start)
        if field.message_type is not None:
            self._message(getattr(message, field.name) if values is None else values.add(), path)
            return
        value = self._scalar(field)
        if isinstance(value, bytes) and field.type == field.TYPE_STRING:
            self._keep_bytes(message, field, value, place)
        elif values is None:
            setattr(message, field.name, value)
        else:
            values.append(value)

    def _message(self, message: Any, path: FieldPath) -> None:
        if self.token.kind != "symbol" or self.token.text not in _CLOSING:
            raise self._error(f"expected '{{' after '{_last_name(path)}', found {self._found()}")
        opening = self._advance()
        message.SetInParent()  # present even if nothing is in it
        self._fields(message, path, opening.start, _CLOSING[opening.text])

    def _check_required(self, message: Any, path: FieldPath, opened: int) -> None:
        if message.IsInitialized():
            return
        missing = [error for error in message.FindInitializationErrors() if "." not in error]
        raise self.source.error(opened, f"'{_last_name(path)}' opened here lacks the required {' and '.join(missing)}")

    def _keep_bytes(self, message: Any, field: Any, value: bytes, place: Token) -> None:
        """Store a string that is not UTF-8, which only the wire format can bring into a message."""
        try:
            message.MergeFromString(_varint(field.number << 3 | 2) + _varint(len(value)) + value)
        except UnicodeDecodeError:  # protobuf in pure Python
            raise self._error(f"the string of '{field.name}' is not UTF-8: {value!r}", place) from None

    # ---- values ----

    def _scalar(self, field: Any) -> Any:
        """Return the value at the current token as the field wants it: str, bytes, bool, int or float."""
        kind = field.cpp_type
        if kind in _INTEGER_BITS:
            bits, signed = _INTEGER_BITS[kind]
            return self._integer(field.name, (1 << bits) - 1, signed)
        if kind == field.CPPTYPE_STRING:
            return self._string(field)
        if kind == field.CPPTYPE_BOOL:
            return self._boolean(field.name)
        if kind == field.CPPTYPE_ENUM:
            return self._enum(field)
        return self._real(field.name)

    def _integer(self, name: str, largest: int, signed: bool) -> int:
        negative = signed and self._accept("-")
        if self.token.kind != "integer":
            what = "an integer" if signed else "an integer that is not negative"
            raise self._error(f"'{name}' takes {what}, found {self._found()}")
        value = _integer_value(self.token.text)
        if value > largest + negative:
            end = f"{'-' if negative else ''}{largest + negative}"
            raise self._error(f"'{name}' is out of range, which ends at {end}, found {self._found()}")
        self._advance()
        return -value if negative else value

    def _real(self, name: str) -> float:
        sign = -1.0 if self._accept("-") else 1.0
        token = self.token
        word = token.text.lower()
        if token.kind == "identifier" and word in _REAL_NAMES:
            value = _REAL_NAMES[word]
        elif token.kind == "real" or (token.kind == "integer" and (token.text == "0" or token.text[0] != "0")):
            value = float(word.rstrip("f"))
        else:
            raise self._error(f"'{name}' takes a decimal number, found {self._found()}")
        self._advance()
        return sign * value

    def _boolean(self, name: str) -> bool:
        kind, text, _ = self.token
        if kind == "integer" and _integer_value(text) <= 1:
            value = _integer_value(text) == 1
        elif kind == "identifier" and text in _BOOLEAN_NAMES:
            value = _BOOLEAN_NAMES[text]
        else:
            raise self._error(f"'{name}' takes true or false, found {self._found()}")
        self._advance()
        return value

    def _enum(self, field: Any) -> int:
        values = field.enum_type.values_by_name
        token = self.token
        if token.kind == "identifier":
            self._advance()
            if token.text in values:
                return values[token.text].number
            known = f" ({', '.join(values)})" if len(values) <= _LONGEST_LIST else ""
            hint = did_you_mean(token.text, values)
            error = self._error(f"'{token.text}' is not a value of '{field.name}'{known}{hint}", token)
            raise UnknownNameError(error, token.text)
        if token.kind == "string":
            raise self._error(f"'{field.name}' takes a name without quotes, found {self._found()}")
        number = self._integer(field.name, (1 << 31) - 1, signed=True)
        if number not in field.enum_type.values_by_number:
            raise self._error(f"{number} is not the number of a value of '{field.name}'", token)
        return number

    def _string(self, field: Any) -> str | bytes:
        if self.token.kind != "string":
            raise self._error(f"'{field.name}' takes a string in quotes, found {self._found()}")
        parts = []
        while self.token.kind == "string":  # adjacent strings are one
            parts.append(string_value(self.source, self._advance()))
        value = b"".join(parts)
        if field.type == field.TYPE_BYTES:
            return value
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value


def _last_name(path: FieldPath) -> str:
    """The name of the field that a path leads to, without an index; the top message has none."""
    return next((part for part in reversed(path) if isinstance(part, str)), "the message")


def _integer_value(text: str) -> int:
    if text[:2] in ("0x", "0X"):
        return int(text, 16)
    if text[0] == "0":
        return int(text, 8)
    return int(text[:_MOST_DIGITS])  # what is cut is out of range anyway, and int() refuses thousands of digits


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the name closest to `word`, in whatever case, or an empty string."""
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower(), by_lower, 1)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""
