"""EuclideanLoss: half the mean squared distance of two batches of vectors."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError
from .base import Blobs
from .loss import LossLayer
from .registry import register


@register("EuclideanLoss")
class EuclideanLoss(LossLayer):
    """sum((a - b)^2) / (2 N); both bottoms get gradients.

    bottom[0], bottom[1]  (N, ...)  with as many elements each
    top[0]                ()
    """

    def allow_force_backward(self, bottom_index: int) -> bool:
        """There is no label here: both sides may learn."""
        return True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that both sides have as many elements."""
        super().reshape(bottom, top)
        if bottom[0].count != bottom[1].count:
            raise ShapeError(f"the bottoms need as many elements each, got {bottom[0].shape} and {bottom[1].shape}")
        self.batch = max(1, bottom[0].shape[0]) if bottom[0].ndim else 1

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss."""
        difference = bottom[0].array.reshape(-1) - bottom[1].array.reshape(-1)
        top[0].array[...] = self.ops.xp.dot(difference, difference) / (2 * self.batch)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """(a - b) / N for a, the opposite for b."""
        weight = top[0].grad / self.batch
        for here, there, wanted in zip(bottom, reversed(bottom), propagate_down, strict=True):
            if wanted:
                grad = here.grad
                self.ops.xp.subtract(here.array, there.array.reshape(here.shape), out=grad)
                grad *= weight
