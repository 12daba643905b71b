"""Log: top = log_base(shift + scale * bottom)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("Log")
class Log(NeuronLayer):
    """Logarithm; base -1, the default, stands for e. Outside its domain the values are -inf and NaN.

    In place the gradient is taken at the input recovered from the output (Caffe takes it at the output: wrong).
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check the base."""
        base = self.param.log_param.base
        self.check(base == -1 or (0 < base < math.inf and base != 1),
                   f"'base' must be above 0 and not 1 (or -1 for e), got {base}")
        self._log_base = 1.0 if base == -1 else math.log(base)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        p = self.param.log_param
        with self.ops.quiet():
            top[0].array[...] = self.ops.xp.log(p.scale * bottom[0].array + p.shift) / self._log_base

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if not propagate_down[0]:
            return
        p = self.param.log_param
        with self.ops.quiet():
            if top[0] is bottom[0]:
                inner = self.ops.xp.exp(self._log_base * top[0].array)
            else:
                inner = p.scale * bottom[0].array + p.shift
            bottom[0].grad[...] = top[0].grad * (p.scale / self._log_base) / inner
