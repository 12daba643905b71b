"""Softmax: scores to probabilities along one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .base import Blobs, Layer
from .registry import register


@register("Softmax")
class Softmax(Layer):
    """exp(x) / sum(exp(x)) along softmax_param.axis (1).

    bottom[0], top[0]  (N, C, H, W) or any shape; they may be one blob
    """

    bottoms = tops = 1

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """The top is shaped as the bottom."""
        top[0].reshape_like(bottom[0])
        shape, axis = bottom[0].shape, bottom[0].axis(self.param.softmax_param.axis)
        self.view = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1:])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the probabilities."""
        if bottom[0].count:
            self.ops.softmax(bottom[0].array.reshape(self.view), top[0].array.reshape(self.view))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """The gradient follows from the probabilities alone."""
        if propagate_down[0] and bottom[0].count:
            self.ops.softmax_backward(*(array.reshape(self.view)
                                        for array in (top[0].array, top[0].grad, bottom[0].grad)))
