"""Concat: put blobs one after the other along an axis."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError
from .base import Blobs, Layer
from .joints import alias, joint_axis, parts
from .registry import register


@register("Concat")
class Concat(Layer):
    """Join blobs along `axis` (old name: concat_dim), 1 by default; all other axes must agree.

    A single bottom is passed through without a copy.
    """

    bottoms, tops = (1, None), 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the shapes; add up the sizes along the axis."""
        shape = list(bottom[0].shape)
        self._axis = axis = joint_axis(self.param.concat_param, "concat_dim", bottom[0])
        for i, blob in enumerate(bottom):
            if (*blob.shape[:axis], *blob.shape[axis + 1:]) != (*shape[:axis], *shape[axis + 1:]):
                raise ShapeError(f"bottoms may differ in axis {axis} only: bottom 0 is {bottom[0].shape}, "
                                 f"bottom {i} {blob.shape}")
        shape[axis] = sum(blob.shape[axis] for blob in bottom)
        if len(bottom) == 1:
            alias(top[0], bottom[0], shape)
        else:
            top[0].reshape(*shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Copy the bottoms to their parts of the top."""
        if len(bottom) > 1:
            y = top[0].array
            for blob, part in zip(bottom, parts([b.shape[self._axis] for b in bottom], self._axis), strict=True):
                y[part] = blob.array

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Copy the parts of the top's diff back."""
        if len(bottom) > 1:
            grad_y = top[0].grad
            places = parts([b.shape[self._axis] for b in bottom], self._axis)
            for blob, part, wanted in zip(bottom, places, propagate_down, strict=True):
                if wanted:
                    blob.grad[...] = grad_y[part]
