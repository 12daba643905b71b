"""BatchNorm: give each channel mean 0 and variance 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import LayerError, ShapeError
from ..proto import caffe_pb2
from .base import Blobs, Layer
from .registry import register


@register("BatchNorm")
class BatchNorm(Layer):
    """Ioffe and Szegedy, "Batch normalization", 2015, without the scale and shift (a Scale layer does these).

    bottom[0]  (N, C, ...)
    top[0]     (N, C, ...)  (x - mean) / sqrt(variance + eps) for each channel; may be the bottom
    blobs      sums of means (C), of variances (C), of weights (1); divide the first two by the third

    The TRAIN phase takes mean and variance from the batch and adds them to the sums after multiplying these by
    moving_average_fraction; the TEST phase takes them from the sums. `use_global_stats` overrules the phase. The
    variance is stored as an unbiased estimate (m - 1) and used as a biased one (m). The sums are not learned.
    """

    bottoms = tops = 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make the sums; keep solvers away from them."""
        param = self.param.batch_norm_param
        self.stored = param.use_global_stats if param.HasField("use_global_stats") else self.test
        if bottom[0].ndim < 2:
            raise ShapeError(f"needs a bottom (N, C, ...), got {bottom[0].shape}")
        for size in (bottom[0].shape[1], bottom[0].shape[1], 1):
            self.add_param((size,), caffe_pb2.FillerParameter(), bottom[0].dtype)
        specs = self.param.param
        for i in range(len(self.blobs)):
            if i == len(specs):
                specs.add(lr_mult=0)
            elif specs[i].lr_mult:
                raise LayerError(f"its blobs are sums, not weights to learn: param {i} needs lr_mult: 0, got "
                                 f"{specs[i].lr_mult:g}")

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top the bottom's shape."""
        shape, channels = bottom[0].shape, self.blobs[0].count
        if len(shape) < 2 or shape[1] != channels:
            raise ShapeError(f"was made for a bottom of {channels} channels, got {shape}")
        self._view = shape[0], channels, math.prod(shape[2:])
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Normalise; in the TRAIN phase add to the sums."""
        xp, param = self.ops.xp, self.param.batch_norm_param
        x, y = bottom[0].array.reshape(self._view), top[0].array.reshape(self._view)
        sums = [blob.array for blob in self.blobs]
        if self.stored:
            weight = xp.where(sums[2] == 0, 0, 1 / xp.where(sums[2] == 0, 1, sums[2]))
            self.mean, variance = sums[0] * weight, sums[1] * weight
        else:
            self.mean = self.ops.channel_mean(x)
        xp.subtract(x, self.mean[:, None], out=y)
        if not self.stored:
            variance = self.ops.channel_mean(y, y)
            count = x.shape[0] * x.shape[2]  # values of each channel
            for total, new in zip(sums, (self.mean, variance * (count / max(count - 1, 1)), 1), strict=True):
                total *= param.moving_average_fraction
                total += new
        self.deviation = xp.sqrt(variance + param.eps)
        y /= self.deviation[:, None]
        in_place = top[0] is bottom[0] and self.needs_backward and not self.stored
        self._kept = y.copy() if in_place else None  # a later layer may overwrite it

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Gradient of the bottom, through mean and variance too if they came from the batch."""
        if not propagate_down[0]:
            return
        xp = self.ops.xp
        grad_y, grad_x = top[0].grad.reshape(self._view), bottom[0].grad.reshape(self._view)
        if self.stored:
            xp.divide(grad_y, self.deviation[:, None], out=grad_x)
            return
        y = self._kept
        if y is None:
            y = (bottom[0].array.reshape(self._view) - self.mean[:, None]) / self.deviation[:, None]
        self.ops.normalize_backward(y, grad_y, self.deviation, grad_x)
