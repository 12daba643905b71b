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

        if _same(x, out):
            _run(kernels.relu_in_place, slope, x)
        else:
            _run(kernels.relu, slope, x, out)

    def relu_backward(self, x: Any, grad_out: Any, grad_x: Any, slope: float) -> None:
        """grad_x = grad_out where x > 0, else slope * grad_out (0 where x is NaN)."""
        from . import _elementwise_kernels as kernels

        if _same(grad_out, grad_x):
            _run(kernels.relu_backward_in_place, slope, x, grad_out)
        else:
            _run(kernels.relu_backward, slope, x, grad_out, grad_x)


def _same(a: Any, b: Any) -> bool:
    """Do two arrays of one size begin in the same place?"""
    return bool(a.ctypes.data == b.ctypes.data)


def _run(kernel: Callable[..., None], slope: float, *arrays: Any) -> None:
    """Call a kernel over contiguous arrays of one shape."""
    flat = [array.reshape(-1) for array in arrays]
    size, typed = flat[0].size, flat[0].dtype.type(slope)
    if size <= FEW:
        kernel(0, size, *flat, typed)
    else:
        threads.parallel(kernel, size, *flat, typed)
