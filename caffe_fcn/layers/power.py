"""Power: top = (shift + scale * bottom) ^ power."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .neuron import NeuronLayer
from .registry import register


@register("Power")
class Power(NeuronLayer):
    """Power of a linear function, with Caffe's special cases.

    If power * scale = 0 the top is constant. For powers other than 0, 1 and 2 the gradient divides by
    shift + scale * x, so it is NaN where that is exactly 0. In place the gradient is right (Caffe's is not,
    unless power is 0 or 1).
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the parameters."""
        p = self.param.power_param
        self._power, self._scale, self._shift = p.power, p.scale, p.shift

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        y = top[0].array
        with self.ops.quiet():
            if self._power * self._scale == 0:
                y[...] = self._shift if self._power else 1
                y **= self._power
                return
            if self._power != 1:
                self.keep_input(bottom, top)
            self.ops.xp.multiply(bottom[0].array, self._scale, out=y)
            if self._shift:
                y += self._shift
            if self._power != 1:
                y **= self._power

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the bottom's diff."""
        if not propagate_down[0]:
            return
        factor = self._power * self._scale
        grad_x, grad_y = bottom[0].grad, top[0].grad
        if factor == 0 or self._power == 1:
            self.ops.xp.multiply(grad_y, factor, out=grad_x)
            return
        with self.ops.quiet():
            inner = self._scale * self.input(bottom) + self._shift
            slope = inner if self._power == 2 else top[0].array / inner
            grad_x[...] = factor * slope * grad_y
