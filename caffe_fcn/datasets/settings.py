"""What a data layer's param_str says: a dict as a Python literal, read into a dataclass and never evaluated."""

from __future__ import annotations

import ast
import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

from caffe_fcn.errors import LayerError

S = TypeVar("S", bound="Settings")
VOC_MEAN = (104.00699, 116.66877, 122.67892)  # blue, green, red of the photos that VGG16 and CaffeNet learned from


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What every data layer takes.

    split      the list of pictures to read
    randomize  draw pictures at random, else one after another; only splits with "train" in their name are ever shuffled
    seed       of the draws; the order is that of Python 3's random.randint. None: another one each time
    batch      pictures at a time; more than 1 needs pictures of one size
    """

    OTHER_NAMES: ClassVar[dict[str, str]] = {"random": "randomize"}

    split: str = "train"
    randomize: bool = True
    seed: int | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Raise LayerError for values that make no sense; subclasses add theirs."""
        if self.batch < 1:
            raise LayerError(f"param_str: need batch >= 1, got {self.batch}")

    @classmethod
    def read(cls: type[S], text: str) -> S:
        """Read a param_str. LayerError says what is wrong: no literal, no dict, keys or types that are not known."""
        hints = typing.get_type_hints(cls)
        fields = {field.name: field for field in dataclasses.fields(cls)}
        needed = [name for name, field in fields.items() if field.default is dataclasses.MISSING]
        example = str(dict.fromkeys([*needed, "split"], "..."))
        try:
            values = ast.literal_eval(text.strip())
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
            raise LayerError(f"param_str must be a literal like {example}, got {text[:200]!r}: {error}") from error
        if not isinstance(values, dict):
            raise LayerError(f"param_str must be a dict like {example}, got {text[:200]!r}")
        values = cls._own_names(values)
        unknown = sorted(str(key) for key in values if key not in fields)
        if unknown:
            raise LayerError(f"param_str has unknown keys {unknown}; known: {', '.join(fields)}")
        missing = [name for name in needed if name not in values]
        if missing:
            raise LayerError(f"param_str must be a dict with {', '.join(map(repr, missing))}, got {text[:200]!r}")
        for name, value in values.items():
            if not _fits(value, hints[name]):
                raise LayerError(f"param_str: {name!r} must be {fields[name].type}, got {value!r}")
        return cls(**values)

    @classmethod
    def _own_names(cls, values: dict[Any, Any]) -> dict[Any, Any]:
        for other, name in cls.OTHER_NAMES.items():
            if other in values:
                if name in values:
                    raise LayerError(f"param_str gives both {other!r} and {name!r}, which mean the same")
                values[name] = values.pop(other)
        return values


def check_tops(tops: Sequence[str], kinds: Sequence[str]) -> None:
    """Raise LayerError unless the setting `tops` names some of `kinds`, each once."""
    if not tops or not set(tops) <= set(kinds) or len(set(tops)) < len(tops):
        raise LayerError(f"param_str: 'tops' must be some of {', '.join(kinds)}, each once; got {list(tops)}")


def _fits(value: Any, hint: Any) -> bool:
    """Is a literal of the type that an annotation says? Lists pass for tuples, whole numbers for float."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is tuple:
        if not isinstance(value, (tuple, list)):
            return False
        if arguments[-1] is Ellipsis:
            return all(_fits(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)
