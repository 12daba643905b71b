"""Reference operations: what gives each channel mean 0 and variance 1. All arrays are (N, C, S)."""

from __future__ import annotations

from typing import Any


class ChannelOps:
    """Mixed into ReferenceOps."""

    xp: Any

    def channel_sum(self, a: Any, b: Any = None) -> Any:
        """The sum of a, or of a * b, over items and positions: (N, C, S) to (C)."""
        total = self.xp.zeros(a.shape[1], a.dtype)
        for i in range(a.shape[0]):  # one item at a time: the product is never stored whole
            total += a[i].sum(axis=1) if b is None else (a[i] * b[i]).sum(axis=1)
        return total

    def channel_mean(self, a: Any, b: Any = None) -> Any:
        """The mean of a, or of a * b, over items and positions: (N, C, S) to (C)."""
        return self.channel_sum(a, b) / max(a.shape[0] * a.shape[2], 1)

    def normalize_backward(self, y: Any, grad_y: Any, deviation: Any, grad_x: Any) -> None:
        """Write the gradient of x for y = (x - mean) / deviation, both those of x; deviation is (C)."""
        mean, along = self.channel_mean(grad_y), self.channel_mean(grad_y, y)
        self.xp.subtract(grad_y, mean[:, None], out=grad_x)
        grad_x -= y * along[:, None]
        grad_x /= deviation[:, None]
