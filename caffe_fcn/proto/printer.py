"""Write a message as text exactly as the original's tools do: same spacing, digits and escapes, byte for byte."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from . import forks
from .schema import is_repeated

_SHORT_ESCAPES = {b"\n": r"\n", b"\r": r"\r", b"\t": r"\t", b'"': r"\"", b"'": r"\'", b"\\": r"\\"}
_ESCAPED = re.compile(rb"[^ -~]|[\"'\\]")


def to_text(message: Any) -> str:
    """Return the text of a message: fields in the order of their numbers, ASCII only, a newline at the end.

    Fields that neither Caffe's schema nor that of the forks knows are left out.
    """
    return "".join(f"{line}\n" for line in _lines(message, ""))


def _lines(message: Any, indent: str) -> Iterator[str]:
    shown = forks.extended(message) if forks.has_fork_fields(message) else message
    for field, value in shown.ListFields():
        for item in value if is_repeated(field) else [value]:
            if field.message_type is None:
                yield f"{indent}{field.name}: {_scalar(field, item)}"
            else:
                yield f"{indent}{field.name} {{"
                yield from _lines(item, indent + "  ")
                yield f"{indent}}}"


def _scalar(field: Any, value: Any) -> str:
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    return _WRITERS.get(field.cpp_type, str)(value)


def _quoted(value: str | bytes) -> str:
    data = value.encode() if isinstance(value, str) else value
    return f'"{_ESCAPED.sub(_escape, data).decode()}"'


def _escape(match: re.Match[bytes]) -> bytes:
    return (_SHORT_ESCAPES.get(match[0]) or f"\\{match[0][0]:03o}").encode()


def _decimal(kind: str, digits: int, enough: int) -> Callable[[float], str]:
    """A writer of floats of a struct `kind`: `digits` digits where these say it exactly, else `enough`."""

    def write(value: float) -> str:
        short = f"{value:.{digits}g}"
        same = struct.pack(kind, float(short)) == struct.pack(kind, value)
        return short if same or value != value else f"{value:.{enough}g}"

    return write


_WRITERS: dict[int, Callable[[Any], str]] = {
    FieldDescriptor.CPPTYPE_STRING: _quoted,
    FieldDescriptor.CPPTYPE_BOOL: lambda value: "true" if value else "false",
    FieldDescriptor.CPPTYPE_FLOAT: _decimal("<f", 6, 9),
    FieldDescriptor.CPPTYPE_DOUBLE: _decimal("<d", 15, 17),
}
