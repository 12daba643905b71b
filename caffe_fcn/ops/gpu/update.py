"""Solver updates on the GPU: one kernel for each parameter instead of a dozen passes over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..reference import ReferenceOps
from ..reference.update import KnownRule, Rule, Step
from .launch import covers, launch


class GpuUpdate(ReferenceOps):
    """Mixed into GpuOps."""

    def update(self, step: Step, rule: Rule, values: Any, grad: Any, history: Sequence[Any]) -> None:
        """See UpdateOps. Rules that are not ours are left to the reference."""
        if not isinstance(rule, KnownRule) or not covers(values, grad, *history):
            super().update(step, rule, values, grad, history)
            return
        launch("update", type(rule).__name__.lower(), values.size, values.dtype, values, grad, *history,
               float(step.scale), float(step.decay), int(step.kind == "L1"), *map(float, rule.numbers()))
