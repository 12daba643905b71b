"""From Python 2 source to code that gives the same results on Python 3."""

from __future__ import annotations

import ast
import difflib
import functools
import io
import re
import tokenize
import warnings
from types import CodeType
from typing import Any, NamedTuple

from ..errors import FormatError
from . import division
from .recognise import compiles, is_old

UNWANTED = ("buffer", "idioms", "set_literal", "ws_comma", "asserts")  # matters of taste
NUMPY_ALIASES = re.compile(r"\b(np|numpy)\.(bool|int|float|complex|object|str)\b(?!_)")


class Translation(NamedTuple):
    """A source file and what is run in its place.

    old      was it recognised as Python 2?
    text     the source as Python 3 (equal to the original unless `old`)
    code     compiled; if `old`, whole numbers divide and `round` rounds as in Python 2
    changes  a unified diff, empty if nothing changed
    """

    old: bool
    text: str
    code: CodeType
    changes: str


def translate(source: bytes, file: str, old: bool | None = None, in_package: bool = False) -> Translation:
    """Compile the source of `file`, translated if it is Python 2.

    old         None: found out by looking at the source; True: take it as Python 2 where it could be either
    in_package  the module belongs to a package: `import b` then means the module b beside it, if there is one

    The file may be of any encoding that it declares (UTF-8 or Latin-1 if it declares none).
    Raises FormatError, with file and line, for a source that is neither language.
    """
    original = _decode(source)
    if old is None:
        old = is_old(original)
    if not old:
        return Translation(False, original, _compile(ast.parse(original, file), file), "")
    text = _refactor(original, file, in_package)
    try:
        tree = ast.parse(text, file)
    except SyntaxError as error:
        raise FormatError(f"{file}:{error.lineno}: neither Python 3 nor translatable from Python 2: {error.msg}"
                          ) from None
    lines = division.translate_tree(tree, _has_new_division(original))
    return Translation(True, text, _compile(tree, file), _diff(original, text, file, lines))


def _decode(source: bytes) -> str:
    try:
        text = source.decode(tokenize.detect_encoding(io.BytesIO(source).readline)[0])
    except (SyntaxError, UnicodeDecodeError):  # not what it declares, or UTF-8 in its first two lines
        text = source.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _compile(tree: ast.Module, file: str) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # escapes like "\d" were fine once
        return compile(tree, file, "exec", dont_inherit=True)


@functools.cache
def _tool(print_statement: bool, in_package: bool) -> Any:
    from fissix import refactor

    unwanted = UNWANTED if in_package else (*UNWANTED, "import")  # modules beside a script are not relative to it
    fixers = [name for name in refactor.get_fixers_from_package("fissix.fixes")
              if name.rpartition("fix_")[2] not in unwanted]
    return refactor.RefactoringTool(fixers, {"print_function": not print_statement})


def _refactor(text: str, file: str, in_package: bool) -> str:
    """The source with Python 3's syntax and names."""
    from fissix.pgen2.parse import ParseError

    ended = text if text.endswith("\n") else text + "\n"
    spaced = re.sub(r"^[ \t]+", lambda match: match[0].expandtabs(8), ended, flags=re.MULTILINE)
    for candidate in dict.fromkeys((ended, spaced)):  # tabs counted as eight columns
        try:
            new = str(_tool(not compiles(candidate), in_package).refactor_string(candidate, file))
        except (ParseError, tokenize.TokenError) as error:
            line = error.context[1][0] if isinstance(error, ParseError) else error.args[1][0]
            raise FormatError(f"{file}:{line}: neither Python 3 nor Python 2: {error}") from None
        if compiles(new):
            break
    return NUMPY_ALIASES.sub(r"\2", new)  # np.int was a name of int until NumPy 1.24


def _has_new_division(text: str) -> bool:
    return re.search(r"^from\s+__future__\s+import\s.*\bdivision\b", text, re.MULTILINE) is not None


def _diff(original: str, text: str, file: str, divisions: list[int]) -> str:
    lines = list(difflib.unified_diff(original.splitlines(), text.splitlines(), file, f"{file} (as it runs)",
                                      lineterm="", n=0))
    if divisions:
        numbers = ", ".join(map(str, sorted(set(divisions))))
        lines.append(f"# {file}: / divides whole numbers without remainder, as in Python 2, in line {numbers}")
    return "".join(f"{line}\n" for line in lines)
