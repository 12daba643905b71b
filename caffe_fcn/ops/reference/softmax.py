"""Reference operations: softmax."""


class SoftmaxOps:
    """Mixed into ReferenceOps."""
