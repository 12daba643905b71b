"""What layers share that give each channel mean 0 and variance 1: sums over everything else of (N, C, S) arrays."""

from __future__ import annotations

from typing import Any


def channel_sum(xp: Any, a: Any, b: Any = None) -> Any:
    """The sum of a, or of a * b, over items and positions: (N, C, S) to (C)."""
    total = xp.zeros(a.shape[1], a.dtype)
    for i in range(a.shape[0]):  # one item at a time: the product is never stored whole
        total += a[i].sum(axis=1) if b is None else (a[i] * b[i]).sum(axis=1)
    return total


def channel_mean(xp: Any, a: Any, b: Any = None) -> Any:
    """The mean of a, or of a * b, over items and positions: (N, C, S) to (C)."""
    return channel_sum(xp, a, b) / max(a.shape[0] * a.shape[2], 1)


def normalize_backward(xp: Any, y: Any, grad_y: Any, deviation: Any, grad_x: Any) -> None:
    """Write the gradient of x for y = (x - mean) / deviation, both those of x; all but deviation (C) are (N, C, S)."""
    mean, along = channel_mean(xp, grad_y), channel_mean(xp, grad_y, y)
    xp.subtract(grad_y, mean[:, None], out=grad_x)
    grad_x -= y * along[:, None]
    grad_x /= deviation[:, None]
