"""ReLU6: the bottom cut off below 0 and above 6."""

from __future__ import annotations

from collections.abc import Sequence

from ..base import Blobs
from ..neuron import NeuronLayer
from ..registry import register


@register("ReLU6")
class ReLU6(NeuronLayer):
    """min(max(x, 0), 6); no gradient passes at 0 and 6. May run in place."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        self.keep_input(bottom, top)
        self.ops.xp.clip(bottom[0].array, 0, 6, out=top[0].array)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if propagate_down[0]:
            x = self.input(bottom)
            self.ops.xp.multiply(top[0].grad, (x > 0) & (x < 6), out=bottom[0].grad)
