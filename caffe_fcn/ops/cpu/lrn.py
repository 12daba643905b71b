"""Fast CPU operations: lrn."""

from ..reference import ReferenceOps


class CpuLrn(ReferenceOps):
    """Mixed into CpuOps."""
