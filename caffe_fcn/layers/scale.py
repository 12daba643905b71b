"""Scale: top = bottom * a learned or given operand, plus a learned bias if asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..proto import caffe_pb2
from .base import Blobs
from .broadcast import BroadcastLayer
from .registry import register


@register("Scale")
class Scale(BroadcastLayer):
    """Multiply by blobs[0], or bottom[1]; one at first unless there is a filler. May run in place.

    With bias_term the last blob, of the operand's shape, is added afterwards.
    """

    _kept: Any = None

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make the learned operand, unless it is a bottom, and the bias."""
        p = self.param.scale_param
        filler = p.filler if p.HasField("filler") else caffe_pb2.FillerParameter(value=1)
        self._place_operand(p, bottom, filler)
        if p.bias_term:
            self.add_param(self._operand(bottom).shape, p.bias_filler, bottom[0].dtype)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top; keep the input if it is overwritten."""
        in_place = top[0] is bottom[0]
        self._kept = bottom[0].array.copy() if in_place and self.needs_backward else None
        y = self._split(top[0].array)
        self.ops.xp.multiply(self._split(bottom[0].array), self._spread(self._operand(bottom)), out=y)
        if self.param.scale_param.bias_term:
            y += self._spread(self.blobs[-1])

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Compute the diffs of bias, operand and bottom."""
        grad_y, operand = top[0].grad, self._operand(bottom)
        if self.param.scale_param.bias_term and self.param_propagate_down[-1]:
            total = self.blobs[-1].grad
            total += self._collect(grad_y, total.shape)
        if propagate_down[1] if len(bottom) == 2 else self.param_propagate_down[0]:
            x = bottom[0].array if self._kept is None else self._kept
            gradient = self._collect(grad_y * x, operand.shape)
            if len(bottom) == 2:
                operand.grad[...] = gradient
            else:
                total = operand.grad
                total += gradient
        if propagate_down[0]:
            self.ops.xp.multiply(self._split(grad_y), self._spread(operand), out=self._split(bottom[0].grad))
