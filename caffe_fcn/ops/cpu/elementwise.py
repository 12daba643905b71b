"""Fast CPU operations on each value alone: one pass over the memory, shared by the threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..reference import ReferenceOps
from . import threads

FEW = 1 << 15  # values that one thread does sooner than two can start


class CpuElementwise(ReferenceOps):
    """Mixed into CpuOps."""

    def relu(self, x: Any, out: Any, slope: float) -> None:
        """out = x where x > 0, else slope * x."""
        from . import _elementwise_kernels as kernels

        flat, target, factor = x.reshape(-1), out.reshape(-1), x.dtype.type(slope)
        if _same(flat, target):
            threads.parallel(kernels.relu_in_place, x.size, flat, factor)
        else:
            threads.parallel(kernels.relu, x.size, flat, target, factor)

    def relu_backward(self, x: Any, grad_out: Any, grad_x: Any, slope: float) -> None:
        """grad_x = grad_out where x > 0, else slope * grad_out (0 where x is NaN)."""
        from . import _elementwise_kernels as kernels

        flat, source, target, factor = x.reshape(-1), grad_out.reshape(-1), grad_x.reshape(-1), x.dtype.type(slope)
        if _same(source, target):
            threads.parallel(kernels.relu_backward_in_place, x.size, flat, target, factor)
        else:
            threads.parallel(kernels.relu_backward, x.size, flat, source, target, factor)


def _same(a: Any, b: Any) -> bool:
    """Do two arrays of one size begin in the same place?"""
    return bool(a.ctypes.data == b.ctypes.data)
