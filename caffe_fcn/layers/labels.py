"""Class labels: from the floats of a blob to checked integers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..blob import Blob
from ..errors import LabelError, ShapeError


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
        values = labels.array
        with np.errstate(invalid="ignore"):  # NaN is found below
            numbers = values.astype(np.int64)
        bad = (numbers < 0) | (numbers >= self.classes) | ~xp.isfinite(values)
        if self.ignore is not None:
            ignored = numbers == self.ignore
            bad &= ~ignored
            numbers[ignored] = -1
        if bad.any():
            position = tuple(int(i[0]) for i in xp.nonzero(bad)) if labels.ndim else ()
            raise LabelError(self._advice(float(values[position]), position))
        return numbers.reshape(self.outer, self.inner)

    def _advice(self, value: float, position: tuple[int, ...]) -> str:
        ignored = "" if self.ignore is None else f" or {self.ignore} (ignored)"
        return (f"the label at {position} is {value:g}, but the {self.classes} classes of the scores want integers "
                f"from 0 to {self.classes - 1}{ignored}; if this label means 'no class', leave it out with "
                f"{self.field} {{ ignore_label: {value:g} }}, else num_output is too small or the labels are wrong")
