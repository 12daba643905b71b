"""MultinomialLogisticLoss: cross-entropy of given probabilities against labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import Blobs
from .labels import indices, values_of_items
from .loss import LossLayer
from .registry import register

SMALLEST = 1e-20  # probabilities count as at least this, in the gradient too


@register("MultinomialLogisticLoss")
class MultinomialLogisticLoss(LossLayer):
    """Sum of -log(probability of the label) / N; probabilities below 1e-20 count as 1e-20.

    bottom[0]  (N, ...)  probabilities: everything from axis 1 on is a class
    bottom[1]  (N)       labels; further axes have size 1
    top[0]     ()        the loss

    Raises ShapeError, LabelError.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there is one label for each item."""
        super().reshape(bottom, top)
        self.classes = values_of_items(bottom[0], bottom[1])

    def chosen(self, bottom: Blobs) -> tuple[Any, Any]:
        """The labels and their probabilities, both (N, 1)."""
        xp, chances = self.ops.xp, bottom[0].array.reshape(bottom[0].shape[0], self.classes)
        labels = indices(bottom[1], self.classes, xp, "label").reshape(-1, 1)
        return labels, xp.maximum(xp.take_along_axis(chances, labels, 1), chances.dtype.type(SMALLEST))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss."""
        _, chance = self.chosen(bottom)
        top[0].array[...] = -self.ops.xp.log(chance).sum() / max(1, bottom[0].shape[0])

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """-1 / (N p) for the class of the label, 0 for the others."""
        self.refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            labels, chance = self.chosen(bottom)
            grad = bottom[0].grad
            grad[...] = 0
            self.ops.xp.put_along_axis(grad.reshape(bottom[0].shape[0], self.classes), labels,
                                       -(top[0].grad / max(1, bottom[0].shape[0])) / chance, 1)
