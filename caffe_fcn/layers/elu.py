"""ELU: top = bottom where positive, else alpha * (exp(bottom) - 1)."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("ELU")
class ELU(NeuronLayer):
    """Exponential linear unit (Clevert, Unterthiner and Hochreiter, 2015); the gradient at exactly 0 is alpha.

    In place with alpha below 0, where Caffe's gradient is wrong, the gradient is right.
    """

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        xp, x, alpha = self.ops.xp, bottom[0].array, self.param.elu_param.alpha
        if alpha < 0:
            self.keep_input(bottom, top)
        top[0].array[...] = xp.maximum(x, 0) + alpha * (xp.exp(xp.minimum(x, 0)) - 1)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if propagate_down[0]:
            negative = top[0].array + self.param.elu_param.alpha
            bottom[0].grad[...] = top[0].grad * self.ops.xp.where(self.input(bottom) > 0, 1, negative)
