"""Convolution on the CPU, one module per algorithm; `choose` finds the one for a shape.

Every algorithm has ``fits(x, out, geometry)`` on shapes, and ``forward``, ``backward_data`` and ``backward_weight``
with the arguments and the meaning that `ConvolutionOps` gives them.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import numpy.typing as npt

from ...reference.convolution import Geometry
from . import blocked, depthwise, full, large, narrow, pointwise, winograd

FAST = (winograd, large, narrow)  # for float32 unless the plain sums are asked for
ALGORITHMS = (full, pointwise, depthwise, blocked)  # the first that fits is taken


def choose(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry, dtype: npt.DTypeLike) -> ModuleType | None:
    """The algorithm for an input and an output of these shapes and type, or None if the reference has to do it."""
    if dtype == np.float32 and not geometry.plain:
        for algorithm in FAST:
            if algorithm.fits(x, out, geometry):
                return algorithm
    return next((algorithm for algorithm in ALGORITHMS if algorithm.fits(x, out, geometry)), None)
