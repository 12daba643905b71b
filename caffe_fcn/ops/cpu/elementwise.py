"""Fast CPU operations: elementwise."""

from ..reference import ReferenceOps


class CpuElementwise(ReferenceOps):
    """Mixed into CpuOps."""
