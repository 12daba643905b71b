"""Adam."""

from __future__ import annotations

import numpy as np

from ..ops.reference.update import Adam
from .base import Solver
from .registry import register_solver


@register_solver("Adam")
class AdamSolver(Solver):
    """m = b1 * m + (1 - b1) * g; v = b2 * v + (1 - b2) * g ** 2; with t = iteration + 1:
    w = w - rate * sqrt(1 - b2 ** t) / (1 - b1 ** t) * m / (sqrt(v) + delta).

    b1 is `momentum` (0 if not given), b2 `momentum2`. Kingma, Ba, "Adam: a method for stochastic optimization", 2015.
    """

    slots = 2

    def _rule(self, rate: float) -> Adam:
        """See Solver._rule."""
        param, t = self.param_message, self.iter + 1
        correction = np.sqrt(1 - np.float64(param.momentum2) ** t) / (1 - np.float64(param.momentum) ** t)
        return Adam(rate * float(correction), param.momentum, param.momentum2, param.delta)
