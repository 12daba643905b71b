"""Paths to fields, and Python values written as prototxt."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from google.protobuf.message_factory import GetMessageClass

from ..errors import PrototxtError
from ..proto import text
from ..proto.printer import to_text
from ..proto.schema import is_repeated
from ..proto.text import did_you_mean

_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[([^\]]*)\])?(\.|$)")
_BOOLEANS = {"true": True, "false": False}


class Step(NamedTuple):
    """One part of a path: a field, and which of its values (an index, or the `name` that a message has)."""

    name: str
    key: int | str | None = None

    def __str__(self) -> str:
        return self.name if self.key is None else f"{self.name}[{self.key}]"


def parse_path(path: str) -> list[Step]:
    """Take a path apart: ``convolution_param.num_output``, ``param[0].lr_mult``, ``layer[conv1].bottom[1]``.

    Raises PrototxtError for anything else.
    """
    steps, end, more = [], 0, "."
    while more and (match := _STEP.match(path, end)):
        name, key, more = match.groups()
        steps.append(Step(name, int(key) if key and re.fullmatch(r"\d{1,9}", key) else key))
        end = match.end()
    if more or end != len(path):
        raise PrototxtError(f"'{path}' is not a path; write it as field, field[index] or field.field")
    return steps


def literal(field: Any, value: Any) -> str:
    """Return a value as the text that a field takes: ``21``, ``"bilinear"``, ``{ type: "xavier" }``.

    Enums are given by name or number, messages as a message, a dict or their text. Raises PrototxtError for a value
    that does not fit.
    """
    if field.message_type is not None:
        return _block(field.message_type, value)
    message = GetMessageClass(field.containing_type)()
    if field.enum_type is not None and isinstance(value, str):
        names = field.enum_type.values_by_name
        if value not in names:
            raise PrototxtError(f"'{value}' is not a value of '{field.name}'{did_you_mean(value, names)}")
        value = names[value].number
    if (field.cpp_type == field.CPPTYPE_BOOL) != isinstance(value, bool):
        raise PrototxtError(f"'{field.name}' cannot be {value}")
    try:
        if is_repeated(field):
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    except (TypeError, ValueError) as error:
        raise PrototxtError(f"'{field.name}' cannot be {value!r}: {error}") from None
    return to_text(message).partition(": ")[2].rstrip("\n")


def _block(kind: Any, value: Any) -> str:
    if isinstance(value, str):
        value = text.parse(value, GetMessageClass(kind)())
    elif isinstance(value, dict):
        try:
            value = GetMessageClass(kind)(**value)
        except (TypeError, ValueError) as error:
            raise PrototxtError(f"not a {kind.name}: {error}") from None
    lines = " ".join(line.strip() for line in to_text(value).splitlines())
    return f"{{ {lines} }}" if lines else "{ }"


def from_words(field: Any, words: str) -> Any:
    """Return the value that a user means who writes `words` on a command line: strings need no quotes there.

    Raises PrototxtError for words that are no such value.
    """
    kind = field.cpp_type
    try:
        if kind == field.CPPTYPE_BOOL:
            return _BOOLEANS[words.lower()]
        if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
            return float(words)
        if kind in (field.CPPTYPE_INT32, field.CPPTYPE_INT64, field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
            return int(words, 0)
    except (ValueError, KeyError):
        wanted = "true or false" if kind == field.CPPTYPE_BOOL else "a number"
        raise PrototxtError(f"'{field.name}' takes {wanted}, got '{words}'") from None
    if field.cpp_type == field.CPPTYPE_STRING and len(words) > 1 and words[0] == words[-1] == '"':
        return words[1:-1]
    return words
