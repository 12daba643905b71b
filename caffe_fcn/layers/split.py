"""Split: give one blob to several consumers."""

from __future__ import annotations

from collections.abc import Sequence

from ..memory import Head
from .base import Blobs, Layer
from .registry import register


@register("Split")
class Split(Layer):
    """The tops share the bottom's data; the bottom's diff is the sum of theirs. The net adds it by itself."""

    bottoms, tops = 1, (1, None)
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the tops the bottom's shape and data."""
        for blob in top:
            blob.reshape_like(bottom[0])
            blob.share_data(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """The tops have their data already."""

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Add the tops' diffs in order. Those that nobody has touched are zero: they stay unallocated."""
        if not propagate_down[0]:
            return
        grads = [blob.grad for blob in top if blob.memories[1].head is not Head.NONE]
        grad_x = bottom[0].grad
        if len(grads) < 2:
            grad_x[...] = grads[0] if grads else 0
            return
        self.ops.xp.add(grads[0], grads[1], out=grad_x)
        for grad in grads[2:]:
            grad_x += grad
