"""Operations on each value alone on the GPU: one pass where CuPy would make several."""

from __future__ import annotations

from typing import Any

from ..reference import ReferenceOps
from .launch import covers, launch


class GpuElementwise(ReferenceOps):
    """Mixed into GpuOps. See ElementwiseOps."""

    def relu(self, x: Any, out: Any, slope: float) -> None:
        """See ElementwiseOps."""
        if not covers(x, out):
            super().relu(x, out, slope)
            return
        launch("elementwise", "relu", x.size, x.dtype, x, out, float(slope))

    def relu_backward(self, x: Any, grad_out: Any, grad_x: Any, slope: float) -> None:
        """See ElementwiseOps."""
        if not covers(x, grad_out, grad_x):
            super().relu_backward(x, grad_out, grad_x, slope)
            return
        launch("elementwise", "relu_backward", x.size, x.dtype, x, grad_out, grad_x, float(slope))

    def sigmoid(self, x: Any, out: Any) -> None:
        """See ElementwiseOps."""
        if not covers(x, out):
            super().sigmoid(x, out)
            return
        launch("elementwise", "sigmoid", x.size, x.dtype, x, out)
