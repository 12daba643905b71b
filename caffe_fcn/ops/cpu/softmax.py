"""Fast CPU operations: softmax."""

from ..reference import ReferenceOps


class CpuSoftmax(ReferenceOps):
    """Mixed into CpuOps."""
