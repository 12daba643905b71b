"""Reference operations: softmax and the losses of labels."""

from __future__ import annotations

from collections.abc import Sequence
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

    def class_numbers(self, values: Any, limit: int, ignore: Sequence[int]) -> tuple[Any, Any]:
        """Values cut toward zero as int64, and booleans: which of them are not in range(limit).

        Those in `ignore` are not bad, but become -1, as all bad ones do. Any shape.
        """
        with np.errstate(invalid="ignore"):  # NaN is bad
            numbers = values.astype(np.int64)
        bad = (numbers < 0) | (numbers >= limit) | ~self.xp.isfinite(values)
        for number in ignore:
            ignored = numbers == number
            bad &= ~ignored
            numbers[ignored] = -1
        numbers[bad] = -1
        return numbers, bad

    def sigmoid_loss(self, x: Any, target: Any, counted: Any | None) -> Any:
        """Sum of -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x)) in double precision, without overflow.

        All arrays have one shape; counted: booleans, False for what is left out, or None.
        """
        xp = self.xp
        loss = xp.log1p(xp.exp(-xp.abs(x)))
        loss += xp.maximum(x, 0) - x * target
        if counted is not None:
            loss = xp.where(counted, loss, 0)
        return loss.sum(dtype=np.float64)

    def sigmoid_loss_backward(self, x: Any, target: Any, counted: Any | None, weight: Any, grad_x: Any) -> None:
        """weight * (sigmoid(x) - t), 0 for what is left out; overwrites grad_x. weight: a number or an array of one."""
        xp = self.xp
        xp.multiply(x, 0.5, out=grad_x)
        xp.tanh(grad_x, out=grad_x)  # sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, without overflow
        grad_x *= 0.5
        grad_x += 0.5
        grad_x -= target
        grad_x *= weight
        if counted is not None:
            grad_x[~counted] = 0
