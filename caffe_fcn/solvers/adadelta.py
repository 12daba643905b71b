"""AdaDelta."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .base import Solver
from .registry import register_solver


@register_solver("AdaDelta")
class AdaDeltaSolver(Solver):
    """With m = momentum: h = m * h + (1 - m) * g ** 2; u = g * sqrt((s + delta) / (h + delta));
    s = m * s + (1 - m) * u ** 2; w = w - rate * u.

    Zeiler, "ADADELTA: an adaptive learning rate method", 2012.
    """

    slots = 2

    def compute_update(self, grad: Any, history: Sequence[Any], rate: float) -> None:
        """See Solver.compute_update."""
        squares, updates = history
        momentum, delta = self.param_message.momentum, self.param_message.delta
        squares *= momentum
        squares += (1 - momentum) * (grad * grad)
        grad *= self.xp.sqrt((updates + delta) / (squares + delta))
        updates *= momentum
        updates += (1 - momentum) * (grad * grad)
        grad *= rate
