"""Reduction: sum, absolute sum, sum of squares or mean over the last axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..proto import caffe_pb2
from .base import Blobs, Layer
from .registry import register

OPERATIONS = caffe_pb2.ReductionParameter.ReductionOp


@register("Reduction")
class Reduction(Layer):
    """coeff * operation over all axes from `axis` (0 by default) on; these axes are dropped from the top."""

    bottoms = tops = 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Keep the axes before `axis`."""
        p, shape = self.param.reduction_param, bottom[0].shape
        axis = bottom[0].axis(p.axis)
        self._operation = OPERATIONS.Name(p.operation)
        size = math.prod(shape[axis:])
        self._view = math.prod(shape[:axis]), size
        self._coeff = p.coeff / max(size, 1) if self._operation == "MEAN" else p.coeff
        top[0].reshape(*shape[:axis])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        xp, x = self.ops.xp, bottom[0].array.reshape(self._view)
        if self._operation == "ASUM":
            x = xp.absolute(x)
        elif self._operation == "SUMSQ":
            x = x * x
        top[0].array.reshape(-1)[...] = self._coeff * x.sum(axis=1)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if not propagate_down[0]:
            return
        xp, x = self.ops.xp, bottom[0].array.reshape(self._view)
        grad = self._coeff * top[0].grad.reshape(-1, 1)
        if self._operation == "ASUM":
            grad = grad * xp.sign(x)
        elif self._operation == "SUMSQ":
            grad = 2 * grad * x
        bottom[0].grad.reshape(self._view)[...] = grad
