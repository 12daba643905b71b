"""Fast CPU operations: undoing a max pooling, the planes shared among the cores."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference import ReferenceOps
from .pooling import run


def _flat(array: Any) -> Any:
    """(N, C, H, W) as (N * C, H * W)."""
    return array.reshape(array.shape[0] * array.shape[1], array.shape[2] * array.shape[3])


class CpuUnpooling(ReferenceOps):
    """Mixed into CpuOps. The kernels are compiled when first used."""

    def unpool(self, x: Any, mask: Any, out: Any) -> bool:
        """See UnpoolingOps."""
        from . import _unpooling_kernels as kernels

        outside = np.zeros(x.shape[0] * x.shape[1], np.bool_)
        run(kernels.unpool, out, _flat(x), _flat(mask), _flat(out), outside)
        return not outside.any()

    def unpool_backward(self, grad_out: Any, mask: Any, grad_x: Any) -> bool:
        """See UnpoolingOps."""
        from . import _unpooling_kernels as kernels

        outside = np.zeros(grad_x.shape[0] * grad_x.shape[1], np.bool_)
        run(kernels.unpool_backward, grad_out, _flat(grad_out), _flat(mask), _flat(grad_x), outside)
        return not outside.any()
