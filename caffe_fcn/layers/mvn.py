"""MVN: give each plane, or each item, mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from .base import Blobs, Layer
from .registry import register


@register("MVN")
class MVN(Layer):
    """(x - mean) / (deviation + eps) over each channel of each item, or each item with `across_channels`.

    bottom[0]  up to 4 axes
    top[0]     (N, C, H, W)  always 4 axes: the missing ones are 1

    normalize_variance: false only takes the mean off. eps belongs to the deviation, not to the variance; the
    gradient neglects it, as in Caffe. May run in place. Raises ShapeError.
    """

    bottoms = tops = 1

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top 4 axes."""
        shape = bottom[0].shape
        if len(shape) > 4:
            raise ShapeError(f"needs a bottom of at most 4 axes, got {shape}")
        num, channels, height, width = full = (*shape, *[1] * (4 - len(shape)))
        self._view = ((num, channels * height * width) if self.param.mvn_param.across_channels
                      else (num * channels, height * width))
        top[0].reshape(*full)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Normalise."""
        x, y = bottom[0].array.reshape(self._view), top[0].array.reshape(self._view)
        self.ops.xp.subtract(x, self.mean(x), out=y)
        if self.param.mvn_param.normalize_variance:
            self.deviation = self.ops.xp.sqrt(self.mean(y * y)) + self.param.mvn_param.eps
            y /= self.deviation

    def mean(self, values: Any) -> Any:
        """The mean of each row: (R, S) to (R, 1)."""
        return values.sum(axis=1, keepdims=True) / max(values.shape[1], 1)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Gradient of the bottom through mean and deviation, from the top's values."""
        if not propagate_down[0]:
            return
        y, grad_y = top[0].array.reshape(self._view), top[0].grad.reshape(self._view)
        grad_x = bottom[0].grad.reshape(self._view)
        if not self.param.mvn_param.normalize_variance:
            self.ops.xp.subtract(grad_y, self.mean(grad_y), out=grad_x)
            return
        along = self.mean(grad_y * y)
        self.ops.xp.subtract(grad_y, self.mean(grad_y), out=grad_x)
        grad_x -= y * along
        grad_x /= self.deviation
