"""LSTMUnit: one step of long short-term memory, after the gates' inner products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import ShapeError
from ..ops.reference import ReferenceOps
from .base import Blobs, Layer
from .registry import register


class Gates(NamedTuple):
    """How a step opened its gates, each (N, D)."""

    input: Any
    forget: Any  # 0 where a sequence begins
    output: Any
    candidate: Any


def open_gates(ops: ReferenceOps, drive: Any, cont: Any) -> Gates:
    """Split drive (N, 4 D), in the order input, forget, output, candidate; cont is (N, 1)."""
    size = drive.shape[1] // 4
    gates = ops.xp.empty_like(drive)
    ops.sigmoid(drive, gates)
    ops.xp.tanh(drive[:, 3 * size:], out=gates[:, 3 * size:])
    parts = Gates(*(gates[:, i * size: (i + 1) * size] for i in range(4)))
    ops.xp.multiply(parts.forget, cont, out=parts.forget)
    return parts


def next_state(ops: ReferenceOps, gates: Gates, cell: Any) -> tuple[Any, Any]:
    """The cell and the output after a step that began with `cell`, all (N, D)."""
    new = gates.forget * cell + gates.input * gates.candidate
    return new, gates.output * ops.xp.tanh(new)


def step_backward(
    ops: ReferenceOps, gates: Gates, cell: Any, new: Any, grad_new: Any, grad_out: Any
) -> tuple[Any, Any]:
    """Gradients of drive (N, 4 D) and of the cell before the step, from those of the new cell and of the output."""
    squashed = ops.xp.tanh(new)
    total = grad_new + grad_out * gates.output * (1 - squashed * squashed)
    grad_drive = ops.xp.concatenate((
        total * gates.candidate * gates.input * (1 - gates.input),
        total * cell * gates.forget * (1 - gates.forget),
        grad_out * squashed * gates.output * (1 - gates.output),
        total * gates.input * (1 - gates.candidate * gates.candidate)), axis=1)
    return grad_drive, total * gates.forget


@register("LSTMUnit")
class LSTMUnit(Layer):
    """Hochreiter and Schmidhuber, "Long short-term memory", 1997, with the gates of Graves 2013.

    bottom[0]  (1, N, D)    the cell before
    bottom[1]  (1, N, 4 D)  what drives the gates: input, forget, output, candidate
    bottom[2]  (1, N)       0 where a sequence begins (the old cell is dropped), else 1; it has no gradient
    top[0]     (1, N, D)    the cell after
    top[1]     (1, N, D)    the output

    Raises ShapeError.
    """

    bottoms, tops = 3, 2
    refuses_in_place = True

    def allow_force_backward(self, bottom_index: int) -> bool:
        """cont has no gradient."""
        return bottom_index != 2

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the shapes; both tops are as the cell."""
        cell, drive, cont = (blob.shape for blob in bottom)
        if len(cell) != 3 or cell[0] != 1 or drive != (1, cell[1], 4 * cell[2]) or cont != cell[:2]:
            raise ShapeError(f"needs bottoms (1, N, D), (1, N, 4 D) and (1, N), got {cell}, {drive} and {cont}")
        for blob in top:
            blob.reshape(*cell)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the cell and the output."""
        gates = open_gates(self.ops, bottom[1].array[0], bottom[2].array[0][:, None])
        top[0].array[0], top[1].array[0] = next_state(self.ops, gates, bottom[0].array[0])

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Gradients of the old cell and of the gates' drive."""
        self.check(not propagate_down[2], "cannot compute a gradient of its third bottom (cont): set "
                                          "propagate_down: false for it")
        gates = open_gates(self.ops, bottom[1].array[0], bottom[2].array[0][:, None])
        grads = step_backward(self.ops, gates, bottom[0].array[0], top[0].array[0], top[0].grad[0], top[1].grad[0])
        for i, grad in ((1, grads[0]), (0, grads[1])):
            if propagate_down[i]:
                bottom[i].grad[0] = grad
