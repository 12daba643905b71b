"""Statistics of channels on the GPU: all items at once, products without arrays of their own."""

from __future__ import annotations

import math
from typing import Any

from ..reference import ReferenceOps
from .launch import NULL, covers, launch

LANES = 1 << 17  # threads that add up, of all channels together, about


class GpuChannels(ReferenceOps):
    """Mixed into GpuOps. See ChannelOps."""

    def channel_sum(self, a: Any, b: Any = None) -> Any:
        """See ChannelOps. Sums of every so manyth value, then their sum: the same bits every time."""
        if not covers(a, a if b is None else b) or not a.size:
            return super().channel_sum(a, b)
        images, channels, inner = a.shape
        lanes = min(inner, max(1, LANES // channels))
        parts = self.xp.empty((channels, lanes), a.dtype)
        launch("channels", "channel_sum", parts.size, a.dtype, a, NULL if b is None else b, parts, images, channels,
               inner, lanes)
        return parts.sum(axis=1)

    def normalize_backward(self, y: Any, grad_y: Any, deviation: Any, grad_x: Any) -> None:
        """See ChannelOps."""
        if not covers(y, grad_y, deviation, grad_x):
            super().normalize_backward(y, grad_y, deviation, grad_x)
            return
        launch("channels", "normalize_backward", y.size, y.dtype, y, grad_y, self.channel_mean(grad_y),
               self.channel_mean(grad_y, y), deviation, grad_x, *y.shape[1:])

    def bias_gradient(self, grad_out: Any, grad_bias: Any) -> None:
        """See ConvolutionOps."""
        grad_bias += self.channel_sum(grad_out.reshape(*grad_out.shape[:2], math.prod(grad_out.shape[2:])))
