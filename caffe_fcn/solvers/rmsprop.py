"""RMSProp."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..ops.reference.update import RmsProp
from .base import Solver
from .registry import register_solver


@register_solver("RMSProp")
class RMSPropSolver(Solver):
    """h = d * h + (1 - d) * g ** 2, d = rms_decay; w = w - rate * g / (sqrt(h) + delta). Takes no momentum.

    Tieleman, Hinton, "Lecture 6.5: RMSProp", Coursera, Neural networks for machine learning, 2012.
    """

    @classmethod
    def problems(cls, param: Any) -> Iterator[tuple[str, str]]:
        """See Solver.problems."""
        if param.momentum:
            yield "momentum", f"{cls.type} takes no momentum; remove the field, or use type: \"Adam\""
        if not 0 <= param.rms_decay < 1:
            yield "rms_decay", f"'rms_decay' must be at least 0 and below 1, got {param.rms_decay:g}"

    def _rule(self, rate: float) -> RmsProp:
        """See Solver._rule."""
        return RmsProp(rate, self.param_message.rms_decay, self.param_message.delta)
