"""Random numbers that are drawn on the GPU: others than the CPU draws from the same seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import mode
from ...turn import wait_for_turn


class GpuRandom:
    """Mixed into GpuOps."""

    def uniform(self, shape: tuple[int, ...]) -> Any:
        """Random float32 numbers in [0, 1), from the generator of the current GPU."""
        wait_for_turn()
        device: Any = mode.device()
        return device.random.random(shape, np.float32)
