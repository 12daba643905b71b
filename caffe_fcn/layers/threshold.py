"""Threshold: top = 1 where bottom > threshold, else 0."""

from __future__ import annotations

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("Threshold")
class Threshold(NeuronLayer):
    """Strictly greater than a threshold; has no backward pass."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        top[0].array[...] = bottom[0].array > self.param.threshold_param.threshold
