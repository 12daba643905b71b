"""SegNet's SoftmaxWithLoss, with a weight for each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...proto.forks import extended
from ..base import Blobs
from ..softmax_with_loss import SoftmaxWithLoss


class ClassWeightedSoftmax(SoftmaxWithLoss):
    """SoftmaxWithLoss of loss_param { weight_by_label_freqs: true }: each prediction's loss times its label's weight.

    The weights are class_weighting, one for each class, or without it 1 / (labels of the class in the batch). The
    divisor counts predictions, as without weights.
    """

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there is a weight for each class."""
        super().reshape(bottom, top)
        self.given = list(extended(self.param.loss_param).class_weighting)
        self.check(len(self.given) in (0, self.seen.classes), f"'class_weighting' needs a value for each of the "
                                                              f"{self.seen.classes} classes, got {len(self.given)}")

    def weights(self, labels: Any, dtype: Any) -> Any:
        """The weight of each prediction, 0 if ignored: (outer, inner)."""
        xp, known = self.ops.xp, labels >= 0
        if self.given:
            table = xp.asarray(self.given, dtype)
        else:
            table = 1 / xp.maximum(xp.bincount(labels[known], minlength=self.seen.classes), 1)
        return (table[xp.maximum(labels, 0)] * known).astype(dtype)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss, and the probabilities if they have a top."""
        xp, scores = self.ops.xp, bottom[0].array.reshape(self.seen.shape)
        labels, chances = self.seen.read(bottom[1], xp), xp.empty_like(scores)
        self.ops.softmax(scores, chances)
        chance = xp.take_along_axis(chances, xp.maximum(labels, 0)[:, None], 1)[:, 0]
        terms = -xp.log(xp.maximum(chance, np.finfo(np.float32).tiny)) * self.weights(labels, scores.dtype)
        top[0].array[...] = terms.sum(dtype=np.float64) / self.divisor(labels)
        for probabilities in top[1:]:
            probabilities.array.reshape(chances.shape)[...] = chances

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """As without weights, times the weight of the label."""
        super().backward(top, propagate_down, bottom)
        if propagate_down[0]:
            grad = bottom[0].grad.reshape(self.seen.shape)
            grad *= self.weights(self.seen.read(bottom[1], self.ops.xp), grad.dtype)[:, None]
