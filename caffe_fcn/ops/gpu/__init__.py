"""Operations on an NVIDIA GPU: CuPy for what reads like the definition, kernels of our own where that is slow."""

from __future__ import annotations

from typing import Any

from ..reference import ReferenceOps
from .channels import GpuChannels
from .checking import GpuChecking
from .convolution import GpuConvolution
from .elementwise import GpuElementwise
from .lrn import GpuLrn
from .pooling import GpuPooling
from .random import GpuRandom
from .softmax import GpuSoftmax
from .unpooling import GpuUnpooling
from .update import GpuUpdate


class GpuOps(GpuRandom, GpuChecking, GpuConvolution, GpuPooling, GpuUnpooling, GpuLrn, GpuSoftmax, GpuElementwise,
             GpuChannels, GpuUpdate, ReferenceOps):
    """All operations on CuPy arrays. `xp` is cupy, imported when it is first asked for."""

    @property
    def xp(self) -> Any:
        """The module cupy."""
        import cupy

        return cupy
