"""TanH: top = tanh(bottom)."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("TanH")
class TanH(NeuronLayer):
    """Hyperbolic tangent."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        self.ops.xp.tanh(bottom[0].array, out=top[0].array)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff from the output."""
        if propagate_down[0]:
            y = top[0].array
            bottom[0].grad[...] = top[0].grad * (1 - y * y)
