"""Reshape: the same values under another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import ShapeError
from .base import Blobs, Layer
from .joints import alias
from .registry import register


@register("Reshape")
class Reshape(Layer):
    """Replace `num_axes` axes from `axis` on (all, by default) by `shape`; top and bottom share their memory.

    In `shape`, 0 copies the bottom's size at that place, counted from `axis`; one -1 is worked out from the rest.
    A negative `axis` counts from behind the last axis: -1 appends, -2 replaces the last axis.
    """

    bottoms = tops = 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Work out the shape. ShapeError if it does not hold the bottom's values."""
        p, old = self.param.reshape_param, bottom[0].shape
        start = p.axis if p.axis >= 0 else len(old) + p.axis + 1
        self.check(0 <= start <= len(old), f"'axis' {p.axis} is out of range for a bottom of shape {old}")
        stop = len(old) if p.num_axes == -1 else start + p.num_axes
        self.check(start <= stop <= len(old),
                   f"'num_axes' {p.num_axes} from axis {start} does not fit a bottom of shape {old}")
        new = [*old[:start], *self._copied(old, start), *old[stop:]]
        self.check(new.count(-1) <= 1, f"'shape' may have one -1, got {list(p.shape.dim)}")
        if -1 in new:
            known = math.prod(size for size in new if size != -1)
            if known <= 0 or bottom[0].count % known:
                raise ShapeError(f"{bottom[0].count} values of the bottom {old} do not fill the shape {new}")
            new[new.index(-1)] = bottom[0].count // known
        if math.prod(new) != bottom[0].count or min(new, default=0) < 0:
            raise ShapeError(f"the shape {new} does not hold the {bottom[0].count} values of the bottom {old}")
        alias(top[0], bottom[0], new)

    def _copied(self, old: tuple[int, ...], start: int) -> list[int]:
        """`shape` with its zeros replaced by the bottom's sizes."""
        dims = list(self.param.reshape_param.shape.dim)
        for i, size in enumerate(dims):
            if size == 0:
                if start + i >= len(old):
                    raise ShapeError(f"'shape' has a 0 at {i}, but the bottom {old} has no axis {start + i} to copy")
                dims[i] = old[start + i]
        return dims

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """The top has its data already."""

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """The bottom has its diff already."""
