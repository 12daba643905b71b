"""Tables of a TOML file as frozen dataclasses: every key checked, one error that names the file and the key."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from ..errors import PrototxtError
from ..formats.files import existing_file
from ..proto.text import did_you_mean

T = TypeVar("T")
NOT_A_KEY = {"key": False}  # metadata of a field that files do not have
WORDS = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", dict: "a table"}


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises MissingFileError, FileAccessError, and PrototxtError where it is no TOML."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    with open(existing_file(path), "rb") as source:
        try:
            return tomllib.load(source)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PrototxtError(f"not a TOML file: {error}", str(path)) from None


def build(kind: type[T], table: Any, file: str, where: str = "") -> T:
    """An instance of the dataclass `kind` from a table; its fields without a default are the keys that must be there.

    file   for messages
    where  the dotted name of the table in the file, "" for the whole file
    Raises PrototxtError for a missing key, one that is not known, and a value of another type or not finite.
    """
    if not isinstance(table, dict):
        raise PrototxtError(f"{where} = {table!r} is not a table", file)
    fields, hints = _keys(typing.cast(Any, kind))
    for key in table:
        if key not in fields:
            raise PrototxtError(f"unknown key '{_dotted(where, key)}'{did_you_mean(key, fields)}", file)
    for name, field in fields.items():
        if name not in table and field.default is field.default_factory is dataclasses.MISSING:
            raise PrototxtError(f"the key '{_dotted(where, name)}' is missing", file)
    return kind(**{key: _value(hints[key], value, file, _dotted(where, key)) for key, value in table.items()})


@functools.cache
def _keys(kind: Any) -> tuple[dict[str, dataclasses.Field[Any]], dict[str, Any]]:
    """The fields of a dataclass that are keys of a table, and the types of all."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.metadata != NOT_A_KEY}
    return fields, typing.get_type_hints(kind)


def _dotted(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _value(hint: Any, value: Any, file: str, where: str) -> Any:
    """`value` as the type `hint`: a dataclass, tuple[X, ...], dict[str, X], X | None, or a plain type."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, file, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(parts[0], item, file, f"{where}[{number}]") for number, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {key: _value(parts[1], item, file, _dotted(where, key)) for key, item in value.items()}
    if origin in (typing.Union, types.UnionType):
        choices = [part for part in parts if part is not type(None)]
        if len(choices) == 1:
            return _value(choices[0], value, file, where)
        if any(_is(choice, value) for choice in choices):
            return value
    elif _is(hint, value):
        return hint(value)
    raise PrototxtError(f"{where} = {value!r} is not {_spelled(hint)}", file)


def _is(kind: Any, value: Any) -> bool:
    """Whether a value of a TOML file is of a plain type; a whole number is a number too, true is none."""
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind


def _spelled(hint: Any) -> str:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return "an array"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_spelled(part) for part in parts if part is not type(None))
    return WORDS.get(origin or hint, "a table")
