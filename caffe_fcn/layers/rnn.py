"""RNN: a plain recurrent layer."""

from __future__ import annotations

from typing import Any

from .recurrent import Recurrent
from .registry import register


@register("RNN")
class RNN(Recurrent):
    """h' = tanh(W_hh h + drive), output = tanh(W_ho h' + b_o); Donahue et al. 2015.

    The state is h. Own blobs: W_hh (D, D), W_ho (D, D), b_o (D). See Recurrent.
    """

    def add_own_params(self) -> None:
        """W_hh, W_ho, b_o."""
        self.add_weight((self.size, self.size))
        self.add_weight((self.size, self.size))
        self.add_bias(self.size)

    def step(self, drive: Any, cont: Any, states: list[Any]) -> tuple[Any, list[Any], Any]:
        """See Recurrent."""
        xp = self.ops.xp
        inner, outer, bias = (blob.array for blob in self.blobs[-3:])
        before = states[0] * cont
        hidden = xp.tanh(drive + before @ inner.T)
        output = xp.tanh(hidden @ outer.T + bias)
        return output, [hidden], (before, hidden, output, cont)

    def step_backward(self, kept: Any, grad_out: Any, grads: list[Any]) -> tuple[Any, list[Any]]:
        """See Recurrent."""
        before, hidden, output, cont = kept
        inner, outer, bias = self.blobs[-3:]
        grad_sum = grad_out * (1 - output * output)
        self.ops.add_product(grad_sum.T, hidden, outer.grad)
        total = bias.grad
        total += grad_sum.sum(axis=0)
        grad_drive = (grads[0] + grad_sum @ outer.array) * (1 - hidden * hidden)
        self.ops.add_product(grad_drive.T, before, inner.grad)
        return grad_drive, [grad_drive @ inner.array * cont]
