"""Fast CPU operations: what a solver does to a parameter, in one pass over the memory, shared by the threads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..reference import ReferenceOps
from ..reference.update import KnownRule, Rule, Sgd, Step
from . import threads

PIECE = 1 << 15  # elements; a piece of values, gradient and history stays in the cache of a core
FEW = 1 << 15  # elements that one thread updates sooner than two can start


class CpuUpdate(ReferenceOps):
    """Mixed into CpuOps. Every way gives the bits of the reference."""

    def update(self, step: Step, rule: Rule, values: Any, grad: Any, history: Sequence[Any]) -> None:
        """See UpdateOps. Plain gradient descent has a kernel; other rules run piece by piece, ours on all threads."""
        arrays = (values, grad, *history)
        if type(rule) is Sgd and step.kind == "L2" and len({array.dtype for array in arrays}) == 1:
            self._descend(step, rule, arrays)
            return

        def piece(number: int) -> None:
            part = slice(number * PIECE, (number + 1) * PIECE)
            with self.quiet():  # for this thread
                ReferenceOps.update(self, step, rule, values[part], grad[part], [array[part] for array in history])

        threads.each(piece, math.ceil(values.size / PIECE), alone=not isinstance(rule, KnownRule))

    def _descend(self, step: Step, rule: Sgd, arrays: Sequence[Any]) -> None:
        """Update values, gradient and velocity by momentum."""
        from ._update_kernels import sgd

        size, number = arrays[0].size, arrays[0].dtype.type
        numbers = (number(value) for value in (step.scale, step.decay, *rule.numbers()))
        if size <= FEW:
            sgd(0, size, *arrays, *numbers)
        else:
            threads.parallel(sgd, size, *arrays, *numbers)
