"""Random numbers that are drawn on the GPU: others than the CPU draws from the same seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import mode
from ...turn import wait_for_turn
from ..reference import ReferenceOps
from .launch import launch


class GpuRandom(ReferenceOps):
    """Mixed into GpuOps. See ElementwiseOps."""

    def uniform(self, shape: tuple[int, ...]) -> Any:
        """Random float32 numbers in [0, 1)."""
        return self._draw("uniform", self.xp.empty(shape, np.float32))

    def random_mask(self, shape: tuple[int, ...], ratio: float) -> Any:
        """A boolean array, each element False with the probability `ratio`."""
        return self._draw("mask", self.xp.empty(shape, np.bool_), float(ratio))

    @staticmethod
    def _draw(kernel: str, out: Any, *arguments: float) -> Any:
        wait_for_turn()
        device: Any = mode.device()
        launch("random", kernel, out.size, np.float32, out, device.random, *arguments)
        launch("random", "move_on", 1, np.float32, device.random, math.prod(out.shape))
        return out
