"""Upsample of Darknet converters: repeat values."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import ShapeError
from ...proto.forks import extended
from ..base import Blobs, Layer


class Repeat(Layer):
    """Every value `scale` times along both spatial axes (nearest neighbour).

    bottom[0]  (N, C, H, W)
    top[0]     (N, C, scale H, scale W)
    """

    bottoms = tops = 1
    refuses_in_place = True

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check the scale."""
        param = extended(self.param).upsample_param
        given = [field.name for field, _ in param.ListFields()]
        self.check(given == ["scale"], "with one bottom (no mask) it needs upsample_param { scale } alone, got "
                                       f"{given}")
        self.scale = param.scale
        self.check(self.scale >= 1, f"'scale' must be at least 1, got {self.scale}")

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Size the top."""
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"needs a bottom of 4 axes (N, C, H, W), got {shape}")
        top[0].reshape(*shape[:2], self.scale * shape[2], self.scale * shape[3])
        self._view = (*shape[:3], self.scale, shape[3], self.scale)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Repeat the values."""
        top[0].array.reshape(self._view)[...] = bottom[0].array[:, :, :, None, :, None]

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Sum the gradients of each value's copies."""
        if propagate_down[0]:
            bottom[0].grad[...] = top[0].grad.reshape(self._view).sum(axis=(3, 5))
