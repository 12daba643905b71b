"""Nesterov's accelerated gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import Solver
from .registry import register_solver


@register_solver("Nesterov")
class NesterovSolver(Solver):
    """u = v; v = momentum * v + rate * g; w = w - ((1 + momentum) * v - momentum * u).

    Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", 1983, in the form of
    Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.
    """

    still_at_rate_0 = True

    def compute_update(self, grad: Any, history: Sequence[Any], rate: float) -> None:
        """See Solver.compute_update."""
        (velocity,) = history
        momentum = self.param_message.momentum
        grad *= rate
        scaled_before = momentum * velocity
        velocity[...] = grad + scaled_before
        grad[...] = (1 + momentum) * velocity - scaled_before
