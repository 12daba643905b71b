"""Swish: top = bottom * sigmoid(beta * bottom)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("Swish")
class Swish(NeuronLayer):
    """Self-gated activation (Ramachandran, Zoph and Le, 2017)."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        self.keep_input(bottom, top)
        x = bottom[0].array
        top[0].array[...] = x * self._gate(x)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if propagate_down[0]:
            gate, scaled = self._gate(self.input(bottom)), self.param.swish_param.beta * top[0].array
            bottom[0].grad[...] = top[0].grad * (scaled + gate * (1 - scaled))

    def _gate(self, x: Any) -> Any:
        gate = self.ops.xp.empty_like(x)
        self.ops.sigmoid(self.param.swish_param.beta * x, gate)
        return gate
