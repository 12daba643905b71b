"""Accuracy: the fraction of labels among the top_k scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import Blobs, Layer
from .labels import Predictions
from .registry import register


@register("Accuracy")
class Accuracy(Layer):
    """How many labels are among the accuracy_param.top_k largest scores, of those not ignored.

    bottom[0]  (N, C, H, W)  scores; the classes lie on accuracy_param.axis (1)
    bottom[1]  (N, H, W)     labels 0 ... C-1, or accuracy_param.ignore_label; any shape with as many elements
    top[0]     ()            the fraction, 0 if all are ignored
    top[1]     (C,)          the fraction of each class, 0 for those that do not occur

    A class with the same score counts as better, so ties lose. Raises ShapeError, LabelError.
    """

    bottoms, tops = 2, (1, 2)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the labels' shape."""
        param = self.param.accuracy_param
        ignore = param.ignore_label if param.HasField("ignore_label") else None
        self.seen = Predictions(bottom[0], bottom[1], param.axis, ignore, "accuracy_param")
        self.check(param.top_k <= self.seen.classes,
                   f"'top_k' must be at most the number of classes, {self.seen.classes}, got {param.top_k}")
        top[0].reshape()
        for per_class in top[1:]:
            per_class.reshape(self.seen.classes)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Count."""
        xp = self.ops.xp
        labels = self.seen.read(bottom[1], xp)
        counted = labels >= 0
        right = self.among_best(bottom[0].array.reshape(self.seen.shape), labels) & counted
        top[0].array[...] = right.sum() / self.ops.at_least_one(counted)
        for per_class in top[1:]:
            hits, total = (xp.bincount(labels[which], minlength=self.seen.classes) for which in (right, counted))
            per_class.array[...] = hits / xp.maximum(total, 1)

    def among_best(self, scores: Any, labels: Any) -> Any:
        """Is the score of each label among the top_k?  (outer, inner) booleans."""
        xp = self.ops.xp
        own = xp.take_along_axis(scores, xp.maximum(labels, 0)[:, None], 1)
        return (scores >= own).sum(axis=1) <= self.param.accuracy_param.top_k

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """There is none: LayerError if a gradient is asked for."""
        if any(propagate_down):
            super().backward(top, propagate_down, bottom)
