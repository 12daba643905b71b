"""Convolution on the CPU, one module per algorithm; `choose` finds the one for a shape.

Every algorithm has ``fits(x, out, geometry)`` on shapes, and ``forward``, ``backward_data`` and ``backward_weight``
with the arguments and the meaning that `ConvolutionOps` gives them.
"""

from __future__ import annotations

from types import ModuleType

from ...reference.convolution import Geometry
from . import blocked, depthwise, full, pointwise

ALGORITHMS = (full, pointwise, depthwise, blocked)  # the first that fits is taken


def choose(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> ModuleType | None:
    """The algorithm for an input and an output of these shapes, or None if the reference has to do it."""
    return next((algorithm for algorithm in ALGORITHMS if algorithm.fits(x, out, geometry)), None)
