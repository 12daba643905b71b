"""BNLL: top = log(1 + exp(bottom))."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("BNLL")
class BNLL(NeuronLayer):
    """Binomial normal log likelihood, also called softplus.

    The gradient comes from the output, so that it is right in place too (Caffe's is not).
    """

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        xp, x = self.ops.xp, bottom[0].array
        top[0].array[...] = xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.absolute(x)))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff: sigmoid(x) = 1 - exp(-y)."""
        if propagate_down[0]:
            bottom[0].grad[...] = top[0].grad * -self.ops.xp.expm1(-top[0].array)
