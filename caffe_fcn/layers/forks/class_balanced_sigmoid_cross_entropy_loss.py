"""ClassBalancedSigmoidCrossEntropyLoss: of edges and background, the rarer weighs more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...errors import ShapeError
from ..base import Blobs
from ..loss import LossLayer
from ..registry import register


@register("ClassBalancedSigmoidCrossEntropyLoss")
class ClassBalancedSigmoidCrossEntropyLoss(LossLayer):
    """Xie and Tu, "Holistically-nested edge detection", 2015: sigmoid cross-entropy over N, where targets of 1 weigh
    the share of zeros in their item, and targets of 0 the share of ones.

    bottom[0]  (N, ...)  scores
    bottom[1]  (N, ...)  targets; those that are neither 0 nor 1 are left out
    top[0]     ()        the loss

    HED's own Caffe calls this type SigmoidCrossEntropyLoss, which here is Caffe's: change the type in its prototxt.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there are as many targets as scores."""
        super().reshape(bottom, top)
        shape = bottom[0].shape
        if not shape or bottom[0].count != bottom[1].count:
            raise ShapeError(f"needs as many targets as scores, got {shape} and {bottom[1].shape}")
        self._view = shape[0], math.prod(shape[1:])

    def weights(self, bottom: Blobs) -> tuple[Any, Any, Any]:
        """Scores, targets and the weights of both classes' terms: all (N, values of an item)."""
        x, target = (blob.array.reshape(self._view) for blob in bottom)
        ones, zeros = target == 1, target == 0
        positive, negative = (mask.sum(axis=1, keepdims=True) for mask in (ones, zeros))
        total = self.ops.xp.maximum(positive + negative, 1) * max(self._view[0], 1)
        return x, target, ((ones * negative + zeros * positive) / total).astype(x.dtype)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss."""
        xp = self.ops.xp
        x, target, weight = self.weights(bottom)
        terms = xp.maximum(x, 0) - x * target + xp.log1p(xp.exp(-xp.absolute(x)))
        top[0].array[...] = xp.where(weight > 0, terms * weight, 0).sum()

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Sigmoid minus target, weighted."""
        self.refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            x, target, weight = self.weights(bottom)
            grad = bottom[0].grad.reshape(self._view)
            self.ops.sigmoid(x, grad)
            grad -= target
            grad *= weight * top[0].grad
