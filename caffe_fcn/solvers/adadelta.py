"""AdaDelta."""

from __future__ import annotations

from ..ops.reference.update import AdaDelta
from .base import Solver
from .registry import register_solver


@register_solver("AdaDelta")
class AdaDeltaSolver(Solver):
    """With m = momentum: h = m * h + (1 - m) * g ** 2; u = g * sqrt((s + delta) / (h + delta));
    s = m * s + (1 - m) * u ** 2; w = w - rate * u.

    Zeiler, "ADADELTA: an adaptive learning rate method", 2012.
    """

    slots = 2

    def _rule(self, rate: float) -> AdaDelta:
        """See Solver._rule."""
        return AdaDelta(rate, self.param_message.momentum, self.param_message.delta)
