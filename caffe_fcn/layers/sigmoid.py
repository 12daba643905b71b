"""Sigmoid: top = 1 / (1 + exp(-bottom))."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("Sigmoid")
class Sigmoid(NeuronLayer):
    """Logistic function. As in Caffe, inputs below about -18 give exactly 0."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        self.ops.sigmoid(bottom[0].array, top[0].array)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff from the output."""
        if propagate_down[0]:
            y = top[0].array
            bottom[0].grad[...] = top[0].grad * y * (1 - y)
