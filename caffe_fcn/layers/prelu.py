"""PReLU: top = bottom where positive, else a learned slope * bottom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..proto import caffe_pb2
from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("PReLU")
class PReLU(NeuronLayer):
    """Parametric ReLU (He et al., 2015).

    bottom[0], top[0]  (N, C, ...), 2 to 4 axes
    blobs[0]           slopes, (C,), or () if channel_shared; 0.25 unless there is a filler

    At exactly 0 the negative side counts.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make the slopes."""
        p = self.param.prelu_param
        self._check_axes(bottom)
        filler = p.filler if p.HasField("filler") else caffe_pb2.FillerParameter(value=0.25)
        self.add_param(() if p.channel_shared else (bottom[0].channels,), filler, bottom[0].dtype)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top the bottom's shape; there must still be one slope per channel."""
        super().reshape(bottom, top)
        self._check_axes(bottom)
        slopes = self.blobs[0]
        self.check(not slopes.ndim or slopes.count == bottom[0].channels,
                   f"has {slopes.count} slopes, the bottom {bottom[0].shape} has {bottom[0].channels} channels")

    def _check_axes(self, bottom: Blobs) -> None:
        self.check(2 <= bottom[0].ndim <= 4, f"takes a bottom of 2 to 4 axes, got {bottom[0].shape}")

    def _slopes(self, bottom: Blobs) -> Any:
        return self.blobs[0].array.reshape(-1, *[1] * (bottom[0].ndim - 2))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        self.keep_input(bottom, top)
        xp, x = self.ops.xp, bottom[0].array
        top[0].array[...] = xp.maximum(x, 0) + self._slopes(bottom) * xp.minimum(x, 0)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Add to the slopes' diffs, compute the bottom's diff."""
        x, grad_y = self.input(bottom), top[0].grad
        if self.param_propagate_down[0]:
            products = grad_y * self.ops.xp.minimum(x, 0)
            others = (0, *range(2, x.ndim))
            total = self.blobs[0].grad
            total += products.sum(axis=others if total.ndim else None)
        if propagate_down[0]:
            bottom[0].grad[...] = grad_y * self.ops.xp.where(x > 0, 1, self._slopes(bottom))
