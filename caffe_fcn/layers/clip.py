"""Clip: top = bottom, limited to the range from min to max."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("Clip")
class Clip(NeuronLayer):
    """Limit values; those equal to a bound pass the gradient.

    In place the gradient is right (in Caffe every value passes).
    """

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        p = self.param.clip_param
        self.keep_input(bottom, top)
        xp, y = self.ops.xp, top[0].array
        xp.minimum(bottom[0].array, p.max, out=y)
        xp.maximum(y, p.min, out=y)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if propagate_down[0]:
            p, x = self.param.clip_param, self.input(bottom)
            bottom[0].grad[...] = top[0].grad * ((x >= p.min) & (x <= p.max))
