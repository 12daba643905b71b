"""Pooling on the GPU: one thread for each output, or for each input of the backward pass, which gathers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reference import ReferenceOps
from ..reference.pooling import Window
from .launch import covers, launch

LARGEST_PLANE = 1 << 31  # places that a mask of 32 bits can name


def _sizes(x: Any, out: Any, window: Window) -> tuple[int, ...]:
    """The numbers that the kernels take, as Python's."""
    return tuple(int(number) for pair in (x.shape[2:], out.shape[2:], *window) for number in pair)


class GpuPooling(ReferenceOps):
    """Mixed into GpuOps. See PoolingOps for what the operations do; these never wait for the device."""

    def max_pool(self, x: Any, out: Any, window: Window) -> None:
        """See PoolingOps."""
        if not covers(x, out):
            super().max_pool(x, out, window)
            return
        launch("pooling", "max_pool", out.size, x.dtype, x, out, *_sizes(x, out, window))

    def max_pool_mask(self, x: Any, mask: Any, window: Window) -> None:
        """See PoolingOps. The mask may be int32, too."""
        whole = mask.dtype == np.int32 and mask.flags.c_contiguous
        if not (covers(x) if whole else covers(x, mask)):
            super().max_pool_mask(x, mask, window)
            return
        launch("pooling", "max_pool_mask_int" if whole else "max_pool_mask", mask.size, x.dtype, x, mask,
               *_sizes(x, mask, window))

    def max_pool_backward(self, x: Any, mask: Any | None, grad_out: Any, grad_x: Any, window: Window) -> None:
        """See PoolingOps. Gradients are added in the order of the windows: the same bits every time."""
        whole = mask is None or (mask.dtype == np.int32 and mask.flags.c_contiguous)
        fits = covers(x, grad_out, grad_x) and (whole or covers(x, mask))
        if not fits or x.shape[2] * x.shape[3] >= LARGEST_PLANE:
            super().max_pool_backward(x, mask, grad_out, grad_x, window)
            return
        places, sizes = self.xp.empty(grad_out.shape, np.int32), _sizes(x, grad_out, window)
        stray = self.xp.zeros(1, np.int32)
        if mask is None:
            self.max_pool_mask(x, places, window)
        else:
            launch("pooling", "read_mask_int" if whole else "read_mask", mask.size, x.dtype, mask, places, stray,
                   *sizes)
        launch("pooling", "max_pool_backward", grad_x.size, x.dtype, places, stray, grad_out, grad_x, *sizes)

    def ave_pool(self, x: Any, out: Any, window: Window) -> None:
        """See PoolingOps."""
        if not covers(x, out):
            super().ave_pool(x, out, window)
            return
        launch("pooling", "ave_pool", out.size, x.dtype, x, out, *_sizes(x, out, window))

    def ave_pool_backward(self, grad_out: Any, grad_x: Any, window: Window) -> None:
        """See PoolingOps."""
        if not covers(grad_out, grad_x):
            super().ave_pool_backward(grad_out, grad_x, window)
            return
        launch("pooling", "ave_pool_backward", grad_x.size, grad_x.dtype, grad_out, grad_x,
               *_sizes(grad_x, grad_out, window))

    def stochastic_pool(self, x: Any, chance: Any, out: Any, mask: Any, window: Window) -> None:
        """See PoolingOps. chance is float32, mask int32."""
        launch("pooling", "stochastic_pool", out.size, x.dtype, x, chance, out, mask, *_sizes(x, out, window))

    def stochastic_pool_mean(self, x: Any, out: Any, window: Window) -> None:
        """See PoolingOps."""
        launch("pooling", "stochastic_pool_mean", out.size, x.dtype, x, out, *_sizes(x, out, window))
