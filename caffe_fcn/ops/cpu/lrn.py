"""Fast CPU operations: normalisation across channels, tile by tile."""

from __future__ import annotations

from typing import Any

from ..reference import ReferenceOps
from ..reference.lrn import Response
from .tiles import each_tile


class CpuLrn(ReferenceOps):
    """Mixed into CpuOps."""

    def lrn_across(self, x: Any, out: Any, response: Response) -> None:
        """See LrnOps."""
        plain = super().lrn_across
        each_tile(lambda x, out: plain(x, out, response), x, out)

    def lrn_across_backward(self, x: Any, grad_out: Any, grad_x: Any, response: Response) -> None:
        """See LrnOps."""
        plain = super().lrn_across_backward
        each_tile(lambda x, grad_out, grad_x: plain(x, grad_out, grad_x, response), x, grad_out, grad_x)
