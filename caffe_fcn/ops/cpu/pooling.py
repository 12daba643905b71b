"""Fast CPU operations: pooling."""

from ..reference import ReferenceOps


class CpuPooling(ReferenceOps):
    """Mixed into CpuOps."""
