"""LSTM: long short-term memory over time."""

from __future__ import annotations

from typing import Any

from .lstm_unit import next_state, open_gates, step_backward
from .recurrent import Recurrent
from .registry import register


@register("LSTM")
class LSTM(Recurrent):
    """Donahue et al., "Long-term recurrent convolutional networks", 2015; a step is that of LSTMUnit.

    The states are the output and the cell. Own blob: weight of the previous output (4 D, D). See Recurrent.
    """

    states, gates = 2, 4

    def add_own_params(self) -> None:
        """Weight of the previous output."""
        self.add_weight((4 * self.size, self.size))

    def step(self, drive: Any, cont: Any, states: list[Any]) -> tuple[Any, list[Any], Any]:
        """See Recurrent."""
        output, cell = states
        before = output * cont
        gates = open_gates(self.ops, drive + before @ self.blobs[-1].array.T, cont)
        new, output = next_state(self.ops, gates, cell)
        return output, [output, new], (gates, cell, new, before, cont)

    def step_backward(self, kept: Any, grad_out: Any, grads: list[Any]) -> tuple[Any, list[Any]]:
        """See Recurrent."""
        gates, cell, new, before, cont = kept
        grad_drive, grad_cell = step_backward(self.ops, gates, cell, new, grads[1], grad_out + grads[0])
        self.ops.add_product(grad_drive.T, before, self.blobs[-1].grad)
        return grad_drive, [grad_drive @ self.blobs[-1].array * cont, grad_cell]
