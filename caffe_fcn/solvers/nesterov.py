"""Nesterov's accelerated gradient."""

from __future__ import annotations

from ..ops.reference.update import Nesterov
from .base import Solver
from .registry import register_solver


@register_solver("Nesterov")
class NesterovSolver(Solver):
    """u = v; v = momentum * v + rate * g; w = w - ((1 + momentum) * v - momentum * u).

    Nesterov, "A method of solving a convex programming problem with convergence rate O(1/k^2)", 1983, in the form of
    Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013.
    """

    still_at_rate_0 = True

    def _rule(self, rate: float) -> Nesterov:
        """See Solver._rule."""
        return Nesterov(rate, self.param_message.momentum)
