"""Fast CPU operations: softmax and its loss, tile by tile, so that temporary arrays stay in the cache."""

from __future__ import annotations

import math
from typing import Any

from ..reference import ReferenceOps
from .tiles import each_tile


class CpuSoftmax(ReferenceOps):
    """Mixed into CpuOps."""

    def softmax(self, x: Any, out: Any) -> None:
        """See SoftmaxOps."""
        each_tile(super().softmax, x, out)

    def softmax_backward(self, y: Any, grad_y: Any, grad_x: Any) -> None:
        """See SoftmaxOps."""
        each_tile(super().softmax_backward, y, grad_y, grad_x)

    def softmax_loss(self, x: Any, labels: Any) -> Any:
        """See SoftmaxOps."""
        return math.fsum(each_tile(super().softmax_loss, x, labels))

    def softmax_loss_backward(self, x: Any, labels: Any, weight: Any, grad_x: Any) -> None:
        """See SoftmaxOps."""
        plain = ReferenceOps.softmax_loss_backward
        each_tile(lambda x, labels, grad_x: plain(self, x, labels, weight, grad_x), x, labels, grad_x)
