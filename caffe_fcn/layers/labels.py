"""Class labels and indices: from the floats of a blob to checked integers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import ops
from ..blob import Blob
from ..errors import LabelError, ShapeError


def integers(blob: Blob, limit: int, xp: Any, advice: Callable[[float, tuple[int, ...]], str],
             ignore: Sequence[int] = ()) -> Any:
    """The values of a blob as int64 of its shape, cut toward zero as in Caffe; -1 for those in `ignore`.

    Raises LabelError for the first that is not in range(limit): `advice` makes the message from it and its position.
    On a GPU a net may raise it at the end of the pass; until then the value is -1.
    """
    values = blob.array
    numbers, bad = ops.current().class_numbers(values, limit, ignore)

    def complain() -> None:
        position = tuple(int(i[0]) for i in xp.nonzero(bad)) if blob.ndim else ()
        raise LabelError(advice(float(values[position]), position))

    ops.current().refuse(bad, complain)
    return numbers


def indices(blob: Blob, limit: int, xp: Any, word: str) -> Any:
    """The values of a blob as int64 of its shape; LabelError, with `word` for what they are, if out of range."""
    return integers(blob, limit, xp, lambda value, position: (
        f"the {word} at {position} is {value:g}, but must be an integer from 0 to {limit - 1}"))


def values_of_items(scores: Blob, labels: Blob) -> int:
    """How many values each item of scores (N, ...) has; ShapeError unless there is one label for each item."""
    if scores.ndim < 1 or labels.count != scores.shape[0]:
        raise ShapeError(f"a bottom {scores.shape} needs one label for each item, the labels are {labels.shape}")
    return math.prod(scores.shape[1:])


class Predictions:
    """Scores seen as (outer, classes, inner), their labels as (outer, inner) with -1 where they are ignored.

    ignore: the label to leave out, or None; field: where the prototxt sets it.
    """

    def __init__(self, scores: Blob, labels: Blob, axis: int, ignore: int | None, field: str) -> None:
        axis = scores.axis(axis)
        self.outer, self.classes = math.prod(scores.shape[:axis]), scores.shape[axis]
        self.inner = math.prod(scores.shape[axis + 1:])
        self.shape = self.outer, self.classes, self.inner
        self.ignore, self.field = ignore, field
        if labels.count != self.outer * self.inner:
            raise ShapeError(
                f"scores {scores.shape} with classes on axis {axis} need {self.outer * self.inner} labels, one for "
                f"each position ({' x '.join(map(str, scores.shape[:axis] + scores.shape[axis + 1:]))}, integers "
                f"from 0 to {self.classes - 1}); the labels {labels.shape} are {labels.count}")

    def read(self, labels: Blob, xp: Any) -> Any:
        """The labels as int64 (outer, inner), cut toward zero as in Caffe; LabelError for one out of range."""
        ignore = () if self.ignore is None else (self.ignore,)
        return integers(labels, self.classes, xp, self._advice, ignore).reshape(self.outer, self.inner)

    def _advice(self, value: float, position: tuple[int, ...]) -> str:
        ignored = "" if self.ignore is None else f" or {self.ignore} (ignored)"
        message = (f"the label at {position} is {value:g}, but the {self.classes} classes of the scores want integers "
                   f"from 0 to {self.classes - 1}{ignored}")
        if not abs(value) < 2**31:  # NaN, too: no ignore_label can be that
            return f"{message}; the labels are wrong"
        return (f"{message}; if this label means 'no class', leave it out with {self.field} "
                f"{{ ignore_label: {int(value)} }}, else num_output is too small or the labels are wrong")
