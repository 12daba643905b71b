"""The GPU's operations on NumPy arrays, for tests made for the CPU: on a card, or compiled for the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from standin.array import counts, ndarray

from caffe_fcn.ops.gpu import GpuOps, launch


class KernelOps:
    """Every operation of GpuOps, called with NumPy arrays. `launches` counts kernels, `waits` what waits for them.

    On the stand-in arrays keep their memory; to a card and back they are copied.
    """

    def __init__(self, xp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ops, self._xp, self.launches, self.waits = GpuOps(), xp, 0, 0
        self.on_host = xp.ndarray is ndarray
        found = launch._kernel

        def counted(*key: Any) -> Any:
            self.launches += 1
            return found(*key)

        monkeypatch.setattr(launch, "_kernel", counted)

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> Any:
            before, moved = counts.copy(), []
            result = getattr(self._ops, name)(*(self._to(arg, moved) for arg in args))
            self.waits += sum(counts[key] - before[key] for key in ("item", "get", "wait"))
            for host, device in () if self.on_host else moved:
                host[...] = device.get()
            return self._back(result)

        return call

    def _to(self, value: Any, moved: list[tuple[np.ndarray, Any]]) -> Any:
        """A NumPy array as one of the device, the same one if it is given twice."""
        if isinstance(value, list):
            return [self._to(part, moved) for part in value]
        if not isinstance(value, np.ndarray):
            return value
        for host, device in moved:
            if host is value:
                return device
        moved.append((value, ndarray(value) if self.on_host else self._xp.asarray(value)))
        return moved[-1][1]

    def _back(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._back, value))
        if isinstance(value, ndarray):
            return value._host
        return value.get() if hasattr(value, "get") else value
