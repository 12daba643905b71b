"""What an ONNX value is while a model becomes a net: a blob, a constant, or sizes that are only known at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import NotSupportedError

from .table import Table

Shape = tuple[int, ...]
MAX_FOLDED = 1 << 16  # values; sizes and axes are short


class Blob(NamedTuple):
    """A blob of the net; `shape` is the one at the given input sizes."""

    name: str
    shape: Shape


class Dim(NamedTuple):
    """The size of a blob along an axis, plus a number."""

    blob: str
    axis: int
    plus: int = 0


class Sizes(NamedTuple):
    """A vector of whole numbers, or one number (`scalar`), some of them sizes of blobs."""

    items: tuple[int | Dim, ...]
    scalar: bool = False


class Padded(NamedTuple):
    """A blob with rows and columns of one value around it: Caffe has no such layer, but a pooling takes it in."""

    blob: Blob
    before: Shape
    after: Shape
    value: float

    @property
    def shape(self) -> Shape:
        """The shape with the padding, at the given input sizes."""
        sizes = zip(self.blob.shape[2:], self.before, self.after, strict=True)
        return (*self.blob.shape[:2], *map(sum, sizes))


FOLDS = Table()  # operations on sizes: functions of (operation, *arguments)


def fold(op: Any, arguments: Sequence[Any]) -> Sizes:
    """The result of an operation whose arguments are sizes and constants. NotSupportedError for others."""
    if op.type not in FOLDS:
        raise op.refusal("this operation cannot be applied to sizes of blobs")
    return FOLDS[op.type](op, *arguments)


def as_sizes(op: Any, value: Any) -> Sizes:
    """A constant or sizes as Sizes. NotSupportedError for anything else."""
    if isinstance(value, Sizes):
        return value
    if not isinstance(value, np.ndarray) or value.ndim > 1 or value.size > MAX_FOLDED:
        raise op.refusal("needs whole numbers here: constants or sizes of blobs")
    return Sizes(tuple(int(item) for item in value.ravel()), value.ndim == 0)


def as_integers(op: Any, value: Any) -> list[int]:
    """Constant whole numbers. NotSupportedError for sizes that are only known at run time."""
    items = as_sizes(op, value).items
    if any(isinstance(item, Dim) for item in items):
        raise op.refusal("needs constant numbers here")
    return [item for item in items if not isinstance(item, Dim)]


@FOLDS.of("Shape")
def _shape(op: Any, blob: Any) -> Sizes:
    if isinstance(blob, Sizes):
        return Sizes(() if blob.scalar else (len(blob.items),))
    axes = range(len(blob.shape))[op.get("start", 0):op.get("end", len(blob.shape))]
    return Sizes(tuple(Dim(blob.name, axis) for axis in axes))


@FOLDS.of("Slice")
def _slice(op: Any, data: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Sizes:
    (start,), (end,) = as_integers(op, starts), as_integers(op, ends)
    step = as_integers(op, steps)[0] if steps is not None else 1
    return Sizes(as_sizes(op, data).items[start:end:step])


@FOLDS.of("Gather")
def _gather(op: Any, data: Any, indices: Any) -> Sizes:
    items, places = as_sizes(op, data).items, as_sizes(op, indices)
    if any(isinstance(place, Dim) or not -len(items) <= place < len(items) for place in places.items):
        raise op.refusal(f"takes {list(places.items)} out of {len(items)} sizes")
    return Sizes(tuple(items[place] for place in places.items if not isinstance(place, Dim)), places.scalar)


@FOLDS.of("Concat")
def _concat(op: Any, *parts: Any) -> Sizes:
    return Sizes(tuple(item for part in parts for item in as_sizes(op, part).items))


@FOLDS.of("Unsqueeze")
def _unsqueeze(op: Any, data: Any, axes: Any = None) -> Sizes:
    return Sizes(as_sizes(op, data).items)


@FOLDS.of("Squeeze")
def _squeeze(op: Any, data: Any, axes: Any = None) -> Sizes:
    items = as_sizes(op, data).items
    return Sizes(items, len(items) == 1)


@FOLDS.of("Cast", "Identity")
def _same(op: Any, data: Any) -> Sizes:
    return as_sizes(op, data)


@FOLDS.of("Add", "Sub")
def _add(op: Any, left: Any, right: Any) -> Sizes:
    first, second = as_sizes(op, left), as_sizes(op, right)
    count = max(len(first.items), len(second.items))
    left_items, right_items = (s.items * (count if len(s.items) == 1 else 1) for s in (first, second))
    if len(left_items) != len(right_items):
        raise op.refusal(f"adds {len(left_items)} and {len(right_items)} sizes")
    sign = 1 if op.type == "Add" else -1
    results = tuple(_sum(op, a, b, sign) for a, b in zip(left_items, right_items, strict=True))
    return Sizes(results, first.scalar and second.scalar)


def _sum(op: Any, a: int | Dim, b: int | Dim, sign: int) -> int | Dim:
    if isinstance(b, Dim):
        if isinstance(a, Dim) or sign < 0:
            raise op.refusal("only numbers can be added to sizes of blobs")
        return b._replace(plus=b.plus + a)
    return a._replace(plus=a.plus + sign * b) if isinstance(a, Dim) else a + sign * b


def constant(op: Any, arrays: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """The results of an operation on constants alone. NotSupportedError for one that cannot be worked out."""
    from onnx.reference import ReferenceEvaluator

    if op.type not in ("Add", "Sub", "Mul", "Div", "Cast", "Concat", "Gather", "Identity", "Reshape", "Shape", "Slice",
                       "Squeeze", "Transpose", "Unsqueeze", "Neg", "Sqrt"):
        raise op.refusal("this operation on constants alone is not worked out")
    names = list(op.node.input)
    feeds = {name: array for name, array in zip(names, arrays, strict=True) if array is not None}
    try:
        return [np.asarray(result) for result in ReferenceEvaluator(op.node, opsets={"": op.opset}).run(None, feeds)]
    except Exception as error:  # whatever a wrong constant makes NumPy say
        raise NotSupportedError(f"{op.place}: cannot be worked out: {error}") from error
