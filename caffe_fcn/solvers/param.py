"""The few fields of a SolverParameter that scripts reach as `solver.param`."""

from __future__ import annotations

from typing import Any


class SolverParameter:
    """A view of a solver's settings; changing `base_lr` counts from the next iteration on."""

    __slots__ = ("_message",)

    def __init__(self, message: Any) -> None:
        self._message = message

    @property
    def max_iter(self) -> int:
        """Iterations that `solve` trains up to."""
        return self._message.max_iter

    @property
    def display(self) -> int:
        """Iterations between two reports of the loss."""
        return self._message.display

    @property
    def layer_wise_reduce(self) -> bool:
        """A setting for several GPUs; only stored."""
        return self._message.layer_wise_reduce

    @property
    def base_lr(self) -> float:
        """The learning rate that the policy starts from."""
        return self._message.base_lr

    @base_lr.setter
    def base_lr(self, value: float) -> None:
        self._message.base_lr = value
