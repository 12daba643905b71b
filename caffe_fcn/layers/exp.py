"""Exp: top = base ^ (shift + scale * bottom)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("Exp")
class Exp(NeuronLayer):
    """Exponential function; base -1, the default, stands for e."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check the base; write the function as exp(inner * x + shift)."""
        p = self.param.exp_param
        self.check(p.base == -1 or 0 < p.base < math.inf, f"'base' must be above 0 (or -1 for e), got {p.base}")
        log_base = 1.0 if p.base == -1 else math.log(p.base)
        self._inner = log_base * p.scale
        self._shift = log_base * p.shift

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        with self.ops.quiet():
            top[0].array[...] = self.ops.xp.exp(self._inner * bottom[0].array + self._shift)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff from the output."""
        if propagate_down[0]:
            with self.ops.quiet():
                bottom[0].grad[...] = self._inner * top[0].array * top[0].grad
