"""Reference operations: softmax and its cross-entropy loss."""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST_LOSS = -float(np.log(np.finfo(np.float32).tiny))  # of one prediction: probabilities count as at least FLT_MIN


class SoftmaxOps:
    """Mixed into ReferenceOps. All arrays are (outer, classes, inner), labels (outer, inner) integers.

    Labels are in range(classes), or negative: ignored.
    """

    xp: Any

    def softmax(self, x: Any, out: Any) -> None:
        """exp(x) / sum(exp(x)) over axis 1; out may be x itself."""
        self.xp.subtract(x, x.max(axis=1, keepdims=True), out=out)
        self.xp.exp(out, out=out)
        out /= out.sum(axis=1, keepdims=True)

    def softmax_backward(self, y: Any, grad_y: Any, grad_x: Any) -> None:
        """Gradient of softmax from its output y; grad_x is overwritten and may be grad_y itself."""
        self.xp.subtract(grad_y, (grad_y * y).sum(axis=1, keepdims=True), out=grad_x)
        grad_x *= y

    def softmax_loss(self, x: Any, labels: Any) -> Any:
        """Sum of -log(softmax(x)[label]) over all labels that are not ignored, in double precision."""
        shifted = x - x.max(axis=1, keepdims=True)
        of_label = self.xp.take_along_axis(shifted, self.xp.maximum(labels, 0)[:, None], 1)[:, 0]
        loss = self.xp.log(self.xp.exp(shifted).sum(axis=1)) - of_label
        return self.xp.minimum(loss, LARGEST_LOSS)[labels >= 0].sum(dtype=np.float64)

    def softmax_loss_backward(self, x: Any, labels: Any, weight: Any, grad_x: Any) -> None:
        """weight * (softmax(x) - one_hot(label)), 0 where the label is ignored; overwrites grad_x."""
        self.softmax(x, grad_x)
        here = self.xp.maximum(labels, 0)[:, None]
        of_label = self.xp.take_along_axis(grad_x, here, 1)
        self.xp.put_along_axis(grad_x, here, of_label - 1, 1)
        grad_x *= (labels >= 0)[:, None] * self.xp.asarray(weight, grad_x.dtype)
