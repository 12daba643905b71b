"""Fast CPU operations on each value alone: one pass over the memory, shared by the threads."""

from __future__ import annotations

from typing import Any

from ..reference import ReferenceOps
from . import threads


class CpuElementwise(ReferenceOps):
    """Mixed into CpuOps."""

    def relu(self, x: Any, out: Any, slope: float) -> None:
        """out = x where x > 0, else slope * x."""
        from ._elementwise_kernels import relu

        threads.parallel(relu, x.size, x.reshape(-1), out.reshape(-1), x.dtype.type(slope))

    def relu_backward(self, x: Any, grad_out: Any, grad_x: Any, slope: float) -> None:
        """grad_x = grad_out where x > 0, else slope * grad_out (0 where x is NaN)."""
        from ._elementwise_kernels import relu_backward

        flat = x.reshape(-1), grad_out.reshape(-1), grad_x.reshape(-1)
        threads.parallel(relu_backward, x.size, *flat, x.dtype.type(slope))
