"""SigmoidCrossEntropyLoss: independent yes-or-no predictions against targets between 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..proto import caffe_pb2
from .base import Blobs
from .loss import LossLayer, normalization, normalizer
from .registry import register


@register("SigmoidCrossEntropyLoss")
class SigmoidCrossEntropyLoss(LossLayer):
    """Sum of -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)), divided as loss_param says (by default by N).

    bottom[0]  (N, ...)  scores x
    bottom[1]  (N, ...)  targets t, as many elements
    top[0]     ()        the loss

    A target is ignored if it is loss_param.ignore_label after cutting it to an integer, as in Caffe: with
    ignore_label 0 all targets between -1 and 1 (exclusive) are left out.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there is a target for each score."""
        super().reshape(bottom, top)
        if bottom[0].count != bottom[1].count:
            raise ShapeError(f"scores {bottom[0].shape} and targets {bottom[1].shape} need as many elements each")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss."""
        x = bottom[0].array
        target = bottom[1].array.reshape(x.shape)
        counted = self.counted(target)
        top[0].array[...] = self.ops.sigmoid_loss(x, target, counted) / self.divisor(bottom[0], counted)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """sigmoid(x) - t, 0 where the target is ignored."""
        self.refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            grad = bottom[0].grad
            target = bottom[1].array.reshape(grad.shape)
            counted = self.counted(target)
            weight = top[0].grad / self.divisor(bottom[0], counted)
            self.ops.sigmoid_loss_backward(bottom[0].array, target, counted, weight, grad)

    def counted(self, target: Any) -> Any | None:
        """Where targets are not ignored; None if none can be."""
        loss = self.param.loss_param
        if not loss.HasField("ignore_label"):
            return None
        with np.errstate(invalid="ignore"):
            return target.astype(np.int64) != loss.ignore_label

    def divisor(self, scores: Any, counted: Any | None) -> Any:
        """What the sum is divided by."""
        mode = normalization(self.param.loss_param, caffe_pb2.LossParameter.BATCH_SIZE)
        return normalizer(self.ops, mode, scores.shape[0] if scores.ndim else 1, scores.count, counted)
