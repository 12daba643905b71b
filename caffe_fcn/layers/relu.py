"""ReLU: top = bottom where positive, else negative_slope * bottom."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("ReLU")
class ReLU(NeuronLayer):
    """max(x, 0) + negative_slope * min(x, 0); the gradient at exactly 0 is that of the negative side.

    In place with a slope below 0, where Caffe's gradient is wrong, the gradient is right.
    """

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        slope = self.param.relu_param.negative_slope
        if slope < 0:
            self.keep_input(bottom, top)
        self.ops.relu(bottom[0].array, top[0].array, slope)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if propagate_down[0]:
            slope = self.param.relu_param.negative_slope
            self.ops.relu_backward(self.input(bottom), top[0].grad, bottom[0].grad, slope)
