"""Dropout: zero a random part of the values during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("Dropout")
class Dropout(NeuronLayer):
    """TRAIN: each value becomes 0 with probability dropout_ratio, else it is divided by 1 - dropout_ratio.

    TEST: the identity. The mask (one byte a value) comes from the random numbers of `mode`. A ratio of 1 gives
    zeros (Caffe: NaN). Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.
    """

    _mask: Any = None

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check the ratio."""
        ratio = self.param.dropout_param.dropout_ratio
        self.check(0 <= ratio <= 1, f"'dropout_ratio' must be from 0 to 1, got {ratio}")
        self._scale = 1 / (1 - ratio) if ratio < 1 else 0.0

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        if not self.test:
            self._mask = self.ops.random_mask(bottom[0].shape, self.param.dropout_param.dropout_ratio)
        if not self.test or top[0] is not bottom[0]:
            self._apply(bottom[0].array, top[0].array)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if propagate_down[0] and (not self.test or top[0] is not bottom[0]):
            self._apply(top[0].grad, bottom[0].grad)

    def _apply(self, source: Any, target: Any) -> None:
        if self.test:
            target[...] = source
        else:
            self.check(self._mask is not None, "has no mask yet: run forward before backward")
            self.ops.xp.multiply(source, self._mask, out=target)
            target *= self._scale
