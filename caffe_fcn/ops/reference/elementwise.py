"""Reference operations: elementwise."""


class ElementwiseOps:
    """Mixed into ReferenceOps."""
