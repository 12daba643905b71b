"""AbsVal: top = |bottom|."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("AbsVal")
class AbsVal(NeuronLayer):
    """Absolute value; the gradient at exactly 0 is 0."""

    refuses_in_place = True

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        self.ops.xp.absolute(bottom[0].array, out=top[0].array)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if propagate_down[0]:
            bottom[0].grad[...] = top[0].grad * self.ops.xp.sign(bottom[0].array)
