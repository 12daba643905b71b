"""Fast CPU operations: pooling, the planes of all images and channels shared among the cores."""

from __future__ import annotations

from typing import Any

from ..reference import ReferenceOps
from ..reference.pooling import Window
from .threads import parallel

SMALL = 1 << 15  # elements; less is not worth waking other threads


def planes(array: Any) -> Any:
    """(N, C, H, W) as (N * C, H, W)."""
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])


def run(kernel: Any, large: Any, *args: Any) -> None:
    """Call kernel(first, last, *args) for ranges of planes; `large` is the larger of its arrays."""
    total = large.shape[0] * large.shape[1]
    if large.size < SMALL:
        kernel(0, total, *args)
    else:
        parallel(kernel, total, *args)


def _are_pairs(x: Any, out: Any, window: Window) -> bool:
    """Are the windows 2 x 2, side by side, without padding, and cover all of x?"""
    kernel, stride, pad = (tuple(value) for value in window)
    sizes = tuple(-(-size // 2) for size in x.shape[2:])
    return kernel == stride == (2, 2) and pad == (0, 0) and out.shape[2:] == sizes


class CpuPooling(ReferenceOps):
    """Mixed into CpuOps. The kernels are compiled when first used."""

    def max_pool(self, x: Any, out: Any, window: Window) -> None:
        """See PoolingOps."""
        from . import _pooling_kernels as kernels

        if x.shape == out.shape and tuple(window.stride) == (1, 1):
            run(kernels.max_pool_same, x, planes(x), planes(out), window.kernel, window.pad)
        else:
            run(kernels.max_pool, x, planes(x), planes(out), *window)

    def max_pool_mask(self, x: Any, mask: Any, window: Window) -> None:
        """See PoolingOps."""
        from . import _pooling_kernels as kernels

        run(kernels.max_pool_mask, x, planes(x), planes(mask), *window)

    def max_pool_backward(self, x: Any, mask: Any | None, grad_out: Any, grad_x: Any, window: Window) -> None:
        """See PoolingOps."""
        from . import _pooling_kernels as kernels

        if mask is None and _are_pairs(x, grad_out, window):
            run(kernels.max_pool_backward_pairs, x, planes(x), planes(grad_out), planes(grad_x))
        elif mask is None:
            run(kernels.max_pool_backward, x, planes(x), planes(grad_out), planes(grad_x), *window)
        else:
            run(kernels.scatter, grad_x, planes(mask), planes(grad_out), planes(grad_x))

    def ave_pool(self, x: Any, out: Any, window: Window) -> None:
        """See PoolingOps."""
        from . import _pooling_kernels as kernels

        run(kernels.ave_pool, x, planes(x), planes(out), *window)

    def ave_pool_backward(self, grad_out: Any, grad_x: Any, window: Window) -> None:
        """See PoolingOps."""
        from . import _pooling_kernels as kernels

        run(kernels.ave_pool_backward, grad_x, planes(grad_out), planes(grad_x), *window)
