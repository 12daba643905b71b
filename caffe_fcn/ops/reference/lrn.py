"""Reference operations: lrn."""


class LrnOps:
    """Mixed into ReferenceOps."""
