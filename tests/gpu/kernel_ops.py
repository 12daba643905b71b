"""The GPU's operations on NumPy arrays, for tests made for the CPU: the kernels run, compiled for the host."""

from __future__ import annotations

from typing import Any

import numpy as np
from standin.array import counts, ndarray

from caffe_fcn.ops.gpu import GpuOps


def on_card(value: Any) -> Any:
    """NumPy arrays as the stand-in's, which use their memory."""
    if isinstance(value, list):
        return list(map(on_card, value))
    return ndarray(value) if isinstance(value, np.ndarray) else value


def off_card(value: Any) -> Any:
    """The stand-in's arrays as NumPy arrays."""
    if isinstance(value, tuple):
        return tuple(map(off_card, value))
    return value._host if isinstance(value, ndarray) else value


class KernelOps:
    """Every operation of GpuOps, called with NumPy arrays; `launches` counts kernels, `waits` what waits for them."""

    def __init__(self) -> None:
        self._ops = GpuOps()
        self.launches = self.waits = 0

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> Any:
            before = counts.copy()
            result = getattr(self._ops, name)(*map(on_card, args))
            self.launches += counts["launch"] - before["launch"]
            self.waits += sum(counts[key] - before[key] for key in ("item", "get", "wait"))
            return off_card(result)

        return call
