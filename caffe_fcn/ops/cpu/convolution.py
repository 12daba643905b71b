"""Fast CPU operations: convolution."""

from ..reference import ReferenceOps


class CpuConvolution(ReferenceOps):
    """Mixed into CpuOps."""
