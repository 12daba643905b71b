"""SoftmaxWithLoss: cross-entropy of class scores against labels, at every position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..proto import caffe_pb2
from ..proto.forks import extended, has_fork_fields
from .base import Blobs, Layer, LayerContext
from .labels import Predictions
from .loss import LossLayer, normalization, normalizer
from .registry import register


@register("SoftmaxWithLoss")
class SoftmaxWithLoss(LossLayer):
    """Sum of -log(softmax(scores)[label]), divided as loss_param says (by default by the labels not ignored).

    bottom[0]  (N, C, H, W)  scores; the classes lie on softmax_param.axis (1)
    bottom[1]  (N, H, W)     labels 0 ... C-1, or loss_param.ignore_label; any shape with as many elements
    top[0]     ()            the loss
    top[1]     (N, C, H, W)  the probabilities, if asked for (no gradient passes through them)

    One prediction adds at most 87.34, -log of the smallest float32, as in Caffe. BATCH_SIZE divides by the
    product of the axes before the classes. Raises ShapeError, LabelError.
    """

    tops = (1, 2)

    @classmethod
    def create(cls, param: Any, context: LayerContext) -> Layer:
        """SegNet's with class weights if loss_param asks for it."""
        if has_fork_fields(param.loss_param) and extended(param.loss_param).weight_by_label_freqs:
            from .forks.class_weighted_softmax import ClassWeightedSoftmax

            return ClassWeightedSoftmax(param)
        return cls(param)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the labels' shape."""
        super().reshape(bottom, top)
        loss = self.param.loss_param
        ignore = loss.ignore_label if loss.HasField("ignore_label") else None
        self.seen = Predictions(bottom[0], bottom[1], self.param.softmax_param.axis, ignore, "loss_param")
        for probabilities in top[1:]:
            probabilities.reshape_like(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss, and the probabilities if they have a top."""
        scores = bottom[0].array.reshape(self.seen.shape)
        labels = self.seen.read(bottom[1], self.ops.xp)
        top[0].array[...] = self.ops.softmax_loss(scores, labels) / self.divisor(labels)
        for probabilities in top[1:]:
            self.ops.softmax(scores, probabilities.array.reshape(self.seen.shape))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Softmax minus one-hot label, 0 where the label is ignored."""
        self.refuse_label_gradient(propagate_down)
        if propagate_down[0]:
            labels = self.seen.read(bottom[1], self.ops.xp)
            weight = top[0].grad / self.divisor(labels)
            shape = self.seen.shape
            self.ops.softmax_loss_backward(bottom[0].array.reshape(shape), labels, weight,
                                           bottom[0].grad.reshape(shape))

    def divisor(self, labels: Any) -> Any:
        """What the sum is divided by."""
        mode = normalization(self.param.loss_param, caffe_pb2.LossParameter.VALID)
        return normalizer(self.ops, mode, self.seen.outer, labels.size, labels >= 0)
