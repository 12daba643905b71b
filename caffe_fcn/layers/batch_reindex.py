"""BatchReindex: choose, repeat and reorder the items of a batch."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError
from .base import Blobs, Layer
from .labels import indices
from .registry import register


@register("BatchReindex")
class BatchReindex(Layer):
    """top[0][i] = bottom[0][bottom[1][i]].

    bottom[0]  (N, ...)
    bottom[1]  (K)       integers 0 ... N - 1; they have no gradient
    top[0]     (K, ...)

    Raises ShapeError, LabelError.
    """

    bottoms, tops = 2, 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Size the top."""
        if bottom[0].ndim < 1 or bottom[1].ndim != 1:
            raise ShapeError(f"needs items (N, ...) and indices of one axis, got {bottom[0].shape} and "
                             f"{bottom[1].shape}")
        top[0].reshape(bottom[1].count, *bottom[0].shape[1:])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Copy the chosen items."""
        top[0].array[...] = bottom[0].array[indices(bottom[1], bottom[0].shape[0], self.ops.xp, "index")]

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Sum the gradients of all copies of each item."""
        self.check(not propagate_down[1], "cannot compute a gradient of its indices: set propagate_down: false for "
                                          "its second bottom")
        if propagate_down[0]:
            grad, xp = bottom[0].grad, self.ops.xp
            grad[...] = 0
            xp.add.at(grad, indices(bottom[1], bottom[0].shape[0], xp, "index"), top[0].grad)
