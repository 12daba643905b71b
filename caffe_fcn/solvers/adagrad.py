"""AdaGrad."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..ops.reference.update import AdaGrad
from .base import Solver
from .registry import register_solver


@register_solver("AdaGrad")
class AdaGradSolver(Solver):
    """h = h + g ** 2; w = w - rate * g / (sqrt(h) + delta). Takes no momentum.

    Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic optimization", 2011.
    """

    @classmethod
    def problems(cls, param: Any) -> Iterator[tuple[str, str]]:
        """See Solver.problems."""
        if param.momentum:
            yield "momentum", f"{cls.type} takes no momentum; remove the field, or use type: \"Adam\""

    def _rule(self, rate: float) -> AdaGrad:
        """See Solver._rule."""
        return AdaGrad(rate, self.param_message.delta)
