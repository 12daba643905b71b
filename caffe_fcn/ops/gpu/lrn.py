"""Normalisation across channels on the GPU: each thread adds up its neighbours, without arrays between."""

from __future__ import annotations

from typing import Any

from ..reference import ReferenceOps
from ..reference.lrn import Response
from .launch import covers, launch


class GpuLrn(ReferenceOps):
    """Mixed into GpuOps. See LrnOps; what works within channels is left to the reference and the pooling kernels."""

    def lrn_across(self, x: Any, out: Any, response: Response) -> None:
        """See LrnOps."""
        if not covers(x, out):
            super().lrn_across(x, out, response)
            return
        source = x.copy() if x.data.ptr == out.data.ptr else x  # threads read what others write
        launch("lrn", "lrn_across", x.size, x.dtype, source, out, *_numbers(x, response))

    def lrn_across_backward(self, x: Any, grad_out: Any, grad_x: Any, response: Response) -> None:
        """See LrnOps."""
        if not covers(x, grad_out, grad_x):
            super().lrn_across_backward(x, grad_out, grad_x, response)
            return
        power, through = self.xp.empty_like(x), self.xp.empty_like(x)
        launch("lrn", "lrn_across_terms", x.size, x.dtype, x, grad_out, power, through, *_numbers(x, response))
        factor = -2 * response.alpha * response.beta / response.size
        launch("lrn", "lrn_across_backward", x.size, x.dtype, x, grad_out, power, through, grad_x, *x.shape[1:],
               response.size // 2, factor)


def _numbers(x: Any, response: Response) -> tuple[int | float, ...]:
    """Channels, inner, half, share, beta, k."""
    return (*x.shape[1:], int(response.size // 2), float(response.alpha / response.size), float(response.beta),
            float(response.k))
