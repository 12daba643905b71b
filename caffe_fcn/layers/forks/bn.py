"""BN: batch normalisation with its own scale and shift, as SegNet or as PSPNet has it, by the fields given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...errors import LayerError, ShapeError
from ...proto.forks import extended
from ..base import Blobs, Layer, LayerContext
from ..registry import register

SEGNET = {"scale_filler", "shift_filler", "bn_mode"}
PSPNET = {"slope_filler", "bias_filler", "momentum", "eps", "frozen", "engine"}


@register("BN")
class BN(Layer):
    """y = scale (x - mean) / sqrt(variance + eps) + shift for each channel; Ioffe and Szegedy 2015.

    bottom[0], top[0]  (N, C, ...); the top may be the bottom

    Which of the forks is meant shows in bn_param: `SegNetBN` or `PspNetBN`. LayerError if it does not show.
    """

    bottoms = 1
    tops: Any = (1, 3)
    _kept: Any = None

    @classmethod
    def create(cls, param: Any, context: LayerContext) -> Layer:
        """Choose by the fields of bn_param, or else by the number of stored blobs or of param specs."""
        given = {field.name for field, _ in extended(param).bn_param.ListFields()}
        count = 0 if given else len(param.blobs) or len(param.param)
        segnet, pspnet = bool(given & SEGNET), bool(given & PSPNET) or count in (3, 4)
        segnet |= not given and len(param.blobs) == 2
        if segnet == pspnet:
            raise LayerError(f"'BN' has other blobs in SegNet's Caffe (its bn_param has {sorted(SEGNET)}) than in "
                             f"PSPNet's ({sorted(PSPNET)}); say which by giving one of these fields, e.g. "
                             f"bn_param {{ bn_mode: LEARN }} or bn_param {{ frozen: false }}, or by building the net "
                             f"with dialect='segnet' or 'pspnet'; got {sorted(given)}")
        from .pspnet_bn import PspNetBN
        from .segnet_bn import SegNetBN

        return (SegNetBN if segnet else PspNetBN)(param)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make the blobs."""
        if bottom[0].ndim < 2:
            raise ShapeError(f"needs a bottom (N, C, ...), got {bottom[0].shape}")
        self.given = extended(self.param).bn_param
        self.channels = bottom[0].shape[1]
        for filler in self.fillers():
            self.add_param((1, self.channels, 1, 1), filler, bottom[0].dtype)

    def fillers(self) -> list[Any]:
        """One for each blob."""
        raise NotImplementedError

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top the bottom's shape."""
        shape = bottom[0].shape
        if len(shape) < 2 or shape[1] != self.channels:
            raise ShapeError(f"was made for a bottom of {self.channels} channels, got {shape}")
        self._view = shape[0], self.channels, math.prod(shape[2:])
        top[0].reshape_like(bottom[0])

    def statistics(self, x: Any) -> tuple[Any, Any]:
        """Mean and deviation of each channel, to normalise with: (C)."""
        raise NotImplementedError

    @property
    def by_batch(self) -> bool:
        """Do mean and variance depend on the bottom?"""
        raise NotImplementedError

    def of_batch(self, x: Any) -> tuple[Any, Any]:
        """Mean and variance of each channel in the batch."""
        mean = self.ops.channel_mean(x)
        centred = x - mean[:, None]
        return mean, self.ops.channel_mean(centred, centred)

    def value(self, index: int) -> Any:
        """A blob as (C, 1)."""
        return self.blobs[index].array.reshape(-1, 1)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Normalise, scale and shift."""
        xp = self.ops.xp
        x, y = bottom[0].array.reshape(self._view), top[0].array.reshape(self._view)
        self.mean, self.deviation = self.statistics(x)
        xp.subtract(x, self.mean[:, None], out=y)
        y /= self.deviation[:, None]
        self._kept = y.copy() if top[0] is bottom[0] and self.needs_backward else None
        y *= self.value(0)
        y += self.value(1)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Gradients of scale, shift and bottom."""
        xp, grad_y = self.ops.xp, top[0].grad.reshape(self._view)
        normal = self._kept
        if normal is None:
            normal = (bottom[0].array.reshape(self._view) - self.mean[:, None]) / self.deviation[:, None]
        for i, factor in enumerate((normal, None)):
            if self.param_propagate_down[i]:
                total = self.blobs[i].grad.reshape(-1)
                total += self.ops.channel_sum(grad_y, factor)
        if not propagate_down[0]:
            return
        grad_x = bottom[0].grad.reshape(self._view)
        if self.by_batch:
            self.ops.normalize_backward(normal, grad_y * self.value(0), self.deviation, grad_x)
        else:
            xp.multiply(grad_y, self.value(0) / self.deviation[:, None], out=grad_x)
