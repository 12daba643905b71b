"""Operations on an NVIDIA GPU: CuPy for what reads like the definition, kernels of our own where that is slow."""

from __future__ import annotations

from typing import Any

from ..reference import ReferenceOps
from .checking import GpuChecking
from .random import GpuRandom


class GpuOps(GpuRandom, GpuChecking, ReferenceOps):
    """All operations on CuPy arrays. `xp` is cupy, imported when it is first asked for."""

    @property
    def xp(self) -> Any:
        """The module cupy."""
        import cupy

        return cupy
