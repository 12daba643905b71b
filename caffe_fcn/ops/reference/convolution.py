"""Reference operations: convolution."""


class ConvolutionOps:
    """Mixed into ReferenceOps."""
