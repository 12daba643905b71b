"""Adam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .base import Solver
from .registry import register_solver


@register_solver("Adam")
class AdamSolver(Solver):
    """m = b1 * m + (1 - b1) * g; v = b2 * v + (1 - b2) * g ** 2; with t = iteration + 1:
    w = w - rate * sqrt(1 - b2 ** t) / (1 - b1 ** t) * m / (sqrt(v) + delta).

    b1 is `momentum` (0 if not given), b2 `momentum2`. Kingma, Ba, "Adam: a method for stochastic optimization", 2015.
    """

    slots = 2

    def compute_update(self, grad: Any, history: Sequence[Any], rate: float) -> None:
        """See Solver.compute_update."""
        first, second = history
        b1, b2 = self.param_message.momentum, self.param_message.momentum2
        t = self.iter + 1
        first *= b1
        first += (1 - b1) * grad
        second *= b2
        second += (1 - b2) * (grad * grad)
        correction = float(np.sqrt(1 - np.float64(b2) ** t) / (1 - np.float64(b1) ** t))
        grad[...] = first
        grad /= self.xp.sqrt(second) + self.param_message.delta
        grad *= rate * correction
