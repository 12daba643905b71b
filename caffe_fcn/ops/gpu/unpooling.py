"""Undoing a max pooling on the GPU."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference import ReferenceOps
from .launch import covers, launch


class GpuUnpooling(ReferenceOps):
    """Mixed into GpuOps. See UnpoolingOps. The answers are arrays on the device: to test one is to wait for it."""

    def unpool(self, x: Any, mask: Any, out: Any) -> Any:
        """See UnpoolingOps. With a mask that points outside, out is NaN."""
        if not covers(x, mask, out) or out.shape[2] * out.shape[3] >= 1 << 31:
            return super().unpool(x, mask, out)
        xp, small, size = self.xp, x.shape[2] * x.shape[3], out.shape[2] * out.shape[3]
        winner, wrong = xp.full(out.shape, -1, np.int32), xp.zeros(1, np.int32)
        launch("unpooling", "unpool_winners", x.size, x.dtype, mask, winner, wrong, small, size)
        launch("unpooling", "unpool", out.size, x.dtype, x, winner, wrong, out, small, size)
        return wrong[0] == 0

    def unpool_backward(self, grad_out: Any, mask: Any, grad_x: Any) -> Any:
        """See UnpoolingOps. Where the mask points outside, grad_x is NaN."""
        if not covers(grad_out, mask, grad_x):
            return super().unpool_backward(grad_out, mask, grad_x)
        wrong = self.xp.zeros(1, np.int32)
        launch("unpooling", "unpool_backward", grad_x.size, grad_x.dtype, grad_out, mask, grad_x, wrong,
               mask.shape[2] * mask.shape[3], grad_out.shape[2] * grad_out.shape[3])
        return wrong[0] == 0
