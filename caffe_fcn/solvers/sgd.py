"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from ..ops.reference.update import Sgd
from .base import Solver
from .registry import register_solver


@register_solver("SGD")
class SGDSolver(Solver):
    """v = momentum * v + rate * g; w = w - v.

    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    still_at_rate_0 = True

    def _rule(self, rate: float) -> Sgd:
        """See Solver._rule."""
        return Sgd(rate, self.param_message.momentum)
