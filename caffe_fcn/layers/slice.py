"""Slice: cut a blob into several along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .base import Blobs, Layer
from .joints import alias, joint_axis, parts
from .registry import register


@register("Slice")
class Slice(Layer):
    """Cut along `axis` (old name: slice_dim), 1 by default: at each slice_point, or into equal parts.

    A single top gets the bottom without a copy.
    """

    bottoms, tops = 1, (1, None)
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the points; give each top its part of the axis."""
        p, shape = self.param.slice_param, bottom[0].shape
        self._axis = axis = joint_axis(p, "slice_dim", bottom[0])
        self._sizes = self._cut(list(p.slice_point), shape[axis], len(top))
        for blob, size in zip(top, self._sizes, strict=True):
            blob.reshape(*shape[:axis], size, *shape[axis + 1:])
        if len(top) == 1:
            alias(top[0], bottom[0], shape)

    def _cut(self, points: list[int], size: int, tops: int) -> list[int]:
        """Sizes of the parts."""
        if not points:
            self.check(size % tops == 0, f"axis {self._axis} of size {size} cannot be cut into {tops} equal parts; "
                                         "give slice_point")
            return [size // tops] * tops
        self.check(len(points) == tops - 1,
                   f"'slice_point' must be given once less than there are tops ({tops}), got {len(points)}")
        bounds = [0, *points, size]
        self.check(all(a < b for a, b in pairwise(bounds[:-1])) and points[-1] <= size,
                   f"'slice_point' must rise from above 0 to at most {size}, got {points}")
        return [b - a for a, b in pairwise(bounds)]

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Copy the parts."""
        if len(top) > 1:
            x = bottom[0].array
            for blob, part in zip(top, parts(self._sizes, self._axis), strict=True):
                blob.array[...] = x[part]

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Put the tops' diffs together."""
        if propagate_down[0] and len(top) > 1:
            grad_x = bottom[0].grad
            for blob, part in zip(top, parts(self._sizes, self._axis), strict=True):
                grad_x[part] = blob.grad
