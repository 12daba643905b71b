"""HingeLoss: one-versus-all margins of class scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..proto import caffe_pb2
from .base import Blobs
from .labels import indices, values_of_items
from .loss import LossLayer
from .registry import register


@register("HingeLoss")
class HingeLoss(LossLayer):
    """Sum of max(0, 1 - s x), of its square with norm L2, over all scores x, divided by N; s is 1 for the class of
    the label and -1 for the others.

    bottom[0]  (N, ...)  scores: everything from axis 1 on is a class
    bottom[1]  (N)       labels, any shape with N elements
    top[0]     ()        the loss

    Raises ShapeError, LabelError. Unlike Caffe's, forward leaves the scores' diff alone.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there is one label for each item."""
        super().reshape(bottom, top)
        self.classes = values_of_items(bottom[0], bottom[1])
        self.squared = self.param.hinge_loss_param.norm == caffe_pb2.HingeLossParameter.L2

    def margins(self, bottom: Blobs) -> tuple[Any, Any]:
        """How far each score is on the wrong side, and the signs by which the scores count, both (N, classes)."""
        xp, scores = self.ops.xp, bottom[0].array.reshape(bottom[0].shape[0], self.classes)
        labels = indices(bottom[1], self.classes, xp, "label").reshape(-1, 1)
        signs = xp.where(xp.arange(self.classes) == labels, scores.dtype.type(-1), scores.dtype.type(1))
        return xp.maximum(1 + signs * scores, 0), signs

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss."""
        margin, _ = self.margins(bottom)
        top[0].array[...] = ((margin * margin) if self.squared else margin).sum() / max(1, bottom[0].shape[0])

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """The sign of every score with a margin, times twice the margin with norm L2."""
        self.refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            margin, signs = self.margins(bottom)
            slope = 2 * margin if self.squared else margin > 0
            bottom[0].grad.reshape(margin.shape)[...] = slope * signs * (top[0].grad / max(1, bottom[0].shape[0]))
