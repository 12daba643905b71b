"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import Solver
from .registry import register_solver


@register_solver("SGD")
class SGDSolver(Solver):
    """v = momentum * v + rate * g; w = w - v.

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    still_at_rate_0 = True

    def compute_update(self, grad: Any, history: Sequence[Any], rate: float) -> None:
        """See Solver.compute_update."""
        (velocity,) = history
        grad *= rate
        velocity *= self.param_message.momentum
        velocity += grad
        grad[...] = velocity
