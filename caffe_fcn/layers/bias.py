"""Bias: top = bottom + a learned or given operand."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs
from .broadcast import BroadcastLayer
from .registry import register


@register("Bias")
class Bias(BroadcastLayer):
    """Add blobs[0], or bottom[1]; zero at first unless there is a filler. May run in place."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make the learned operand, unless it is a bottom."""
        self._place_operand(self.param.bias_param, bottom, self.param.bias_param.filler)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        operand = self._spread(self._operand(bottom))
        self.ops.xp.add(self._split(bottom[0].array), operand, out=self._split(top[0].array))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Sum the top's diff for the operand, pass it on to the bottom."""
        grad_y = top[0].grad
        if len(bottom) == 2:
            if propagate_down[1]:
                bottom[1].grad[...] = self._collect(grad_y, bottom[1].shape)
        elif self.param_propagate_down[0]:
            total = self.blobs[0].grad
            total += self._collect(grad_y, total.shape)
        if propagate_down[0] and top[0] is not bottom[0]:
            bottom[0].grad[...] = grad_y
