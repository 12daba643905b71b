"""Softmax and the losses of labels on the GPU: all classes of a position in one thread. Nothing waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..reference import ReferenceOps
from .launch import NULL, covers, launch


class GpuSoftmax(ReferenceOps):
    """Mixed into GpuOps. See SoftmaxOps. Losses and weights stay on the device."""

    def softmax(self, x: Any, out: Any) -> None:
        """See SoftmaxOps."""
        if not covers(x, out):
            super().softmax(x, out)
            return
        launch("softmax", "softmax", _positions(x), x.dtype, x, out, *x.shape[1:])

    def softmax_backward(self, y: Any, grad_y: Any, grad_x: Any) -> None:
        """See SoftmaxOps."""
        if not covers(y, grad_y, grad_x):
            super().softmax_backward(y, grad_y, grad_x)
            return
        launch("softmax", "softmax_backward", _positions(y), y.dtype, y, grad_y, grad_x, *y.shape[1:])

    def softmax_loss(self, x: Any, labels: Any) -> Any:
        """See SoftmaxOps."""
        if not covers(x):
            return super().softmax_loss(x, labels)
        losses = self.xp.empty(_positions(x), x.dtype)
        labels = self.xp.ascontiguousarray(labels, np.int64)
        launch("softmax", "softmax_loss", losses.size, x.dtype, x, labels, losses, *x.shape[1:])
        return losses.sum(dtype=np.float64)

    def softmax_loss_backward(self, x: Any, labels: Any, weight: Any, grad_x: Any) -> None:
        """See SoftmaxOps."""
        if not covers(x, grad_x):
            super().softmax_loss_backward(x, labels, weight, grad_x)
            return
        labels, weight = self.xp.ascontiguousarray(labels, np.int64), self.xp.asarray(weight, x.dtype)
        launch("softmax", "softmax_loss_backward", _positions(x), x.dtype, x, labels, weight, grad_x, *x.shape[1:])

    def class_numbers(self, values: Any, limit: int, ignore: Sequence[int]) -> tuple[Any, Any]:
        """See SoftmaxOps."""
        if not covers(values) or len(ignore) > 1:
            return super().class_numbers(values, limit, ignore)
        numbers, bad = self.xp.empty(values.shape, np.int64), self.xp.empty(values.shape, np.bool_)
        launch("softmax", "class_numbers", values.size, values.dtype, values, numbers, bad, limit,
               len(ignore), int(ignore[0]) if ignore else 0)
        return numbers, bad

    def sigmoid_loss(self, x: Any, target: Any, counted: Any | None) -> Any:
        """See SoftmaxOps."""
        if not covers(x, target):
            return super().sigmoid_loss(x, target, counted)
        losses = self.xp.empty(x.size, x.dtype)
        launch("sigmoid_loss", "sigmoid_loss", x.size, x.dtype, x, target, NULL if counted is None else counted, losses)
        return losses.sum(dtype=np.float64)

    def sigmoid_loss_backward(self, x: Any, target: Any, counted: Any | None, weight: Any, grad_x: Any) -> None:
        """See SoftmaxOps."""
        if not covers(x, target, grad_x):
            super().sigmoid_loss_backward(x, target, counted, weight, grad_x)
            return
        launch("sigmoid_loss", "sigmoid_loss_backward", x.size, x.dtype, x, target,
               NULL if counted is None else counted, self.xp.asarray(weight, x.dtype), grad_x)


def _positions(x: Any) -> int:
    return int(x.shape[0] * x.shape[2])
