"""Fast kernels for the CPU (numba, BLAS), one mixin class per topic, over the reference."""

from __future__ import annotations

from .convolution import CpuConvolution
from .elementwise import CpuElementwise
from .lrn import CpuLrn
from .pooling import CpuPooling
from .softmax import CpuSoftmax
from .unpooling import CpuUnpooling
from .update import CpuUpdate


class CpuOps(CpuConvolution, CpuPooling, CpuUnpooling, CpuLrn, CpuSoftmax, CpuElementwise, CpuUpdate):
    """The operations that layers use on the CPU; what a kernel does not cover falls to the reference."""
