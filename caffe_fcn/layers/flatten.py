"""Flatten: several axes become one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .base import Blobs, Layer
from .joints import alias
from .registry import register


@register("Flatten")
class Flatten(Layer):
    """Join the axes from `axis` to `end_axis` (both included; 1 and -1 by default); the memory is shared.

    An end_axis just before axis inserts an axis of size 1.
    """

    bottoms = tops = 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Multiply the sizes."""
        p, shape = self.param.flatten_param, bottom[0].shape
        start, stop = bottom[0].axis(p.axis), bottom[0].axis(p.end_axis) + 1
        self.check(start <= stop, f"'end_axis' {p.end_axis} is before 'axis' {p.axis} (the bottom is {shape})")
        alias(top[0], bottom[0], (*shape[:start], math.prod(shape[start:stop]), *shape[stop:]))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """The top has its data already."""

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """The bottom has its diff already."""
