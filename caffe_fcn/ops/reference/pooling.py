"""Reference operations: pooling."""


class PoolingOps:
    """Mixed into ReferenceOps."""
