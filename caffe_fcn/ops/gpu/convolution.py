"""Convolution on the GPU by cuDNN; by columns and cuBLAS what cuDNN cannot do, and all if it is not there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from ...precision import matmul_precision
from ..reference.convolution import Geometry
from .columns import GpuColumns, add_bias, is_depthwise
from .cudnn import graph
from .cudnn.engine import ALIGNMENT, Arrays, Cudnn, CudnnMissing
from .cudnn.request import DATA, FORWARD, WEIGHT, describe

logger = logging.getLogger("caffe_fcn.gpu")


class GpuConvolution(GpuColumns):
    """Mixed into GpuOps. See ConvolutionOps. cuDNN computes float32 only; one channel each goes to kernels of our own.

    In float32 and half precision bias and ReLU follow in one kernel of our own, the same for both; with TF32 they are
    part of cuDNN's, whose ReLU makes 0 of NaN.
    """

    def __init__(self) -> None:
        super().__init__()
        self._cudnns: dict[int, Cudnn | None] = {}  # by number of the GPU

    def convolution(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the convolution of x with weight, plus bias, to out."""
        if not self._forward(x, weight, bias, out, geometry, rectify=False):
            super().convolution(x, weight, bias, out, geometry)

    def convolution_relu(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the convolution to out, 0 where that is negative."""
        if not self._forward(x, weight, bias, out, geometry, rectify=True):
            super().convolution_relu(x, weight, bias, out, geometry)

    def convolution_backward_data(self, grad_out: Any, weight: Any, grad_x: Any, geometry: Geometry) -> None:
        """Write the gradient of the convolution's input."""
        if not self._run(DATA, grad_x, weight, grad_out, geometry):
            super().convolution_backward_data(grad_out, weight, grad_x, geometry)

    def convolution_backward_weight(self, x: Any, grad_out: Any, grad_weight: Any, geometry: Geometry) -> None:
        """Add the gradient of the convolution's weight."""
        parts: list[Any] = []

        def arrays() -> Arrays:
            parts[:] = [self.xp.empty_like(grad_weight)]
            return {graph.X: x, graph.FILTER: parts[0], graph.OUT: grad_out}

        if self._run(WEIGHT, x, grad_weight, grad_out, geometry, arrays):
            grad_weight += parts[0]
        else:
            super().convolution_backward_weight(x, grad_out, grad_weight, geometry)

    def _forward(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry, rectify: bool) -> bool:
        """Let cuDNN compute what convolution, or with `rectify` convolution_relu, should; False if it does not."""
        if bias is not None and matmul_precision() == "tf32" and _fits(bias):
            after, given = "bias, relu" if rectify else "bias", {graph.X: x, graph.FILTER: weight, graph.OUT: out}
            return self._run(FORWARD, x, weight, out, geometry, lambda: {**given, graph.BIAS: bias}, after=after)
        run = self._run_half if matmul_precision() == "half" else self._run
        if not run(FORWARD, x, weight, out, geometry):
            return False
        if bias is not None:
            add_bias(out, bias, rectify)
        elif rectify:
            self.relu(out, out, 0.0)
        return True

    def _run_half(self, wanted: str, x: Any, weight: Any, out: Any, geometry: Geometry) -> bool:
        """`_run` with values rounded to float16, channels last, as tensor cores like them."""
        xp = self.xp
        made: list[Any] = []

        def arrays() -> Arrays:
            rounded = (xp.moveaxis(array, 1, -1).astype(xp.float16, order="C") for array in (x, weight))
            made[:] = [xp.empty((out.shape[0], *out.shape[2:], out.shape[1]), xp.float16)]
            return dict(zip((graph.X, graph.FILTER, graph.OUT), (*rounded, *made), strict=True))

        if not self._run(wanted, x, weight, out, geometry, arrays, "half"):
            return False
        out[...] = xp.moveaxis(made[0], -1, 1)
        return True

    def _run(self, wanted: str, x: Any, weight: Any, out: Any, geometry: Geometry,
             arrays: Callable[[], Arrays] | None = None, precision: str = "", after: str = "") -> bool:
        """Let cuDNN compute one of the arrays from the others, or one of what `arrays` makes; False if it does not.

        The precision is the chosen one; half is for forward passes only, which ask for it.
        """
        precision = precision or {"half": "tf32"}.get(matmul_precision(), matmul_precision())
        if is_depthwise(x, geometry) or not _fits(x, weight, out):
            return False
        request = describe(wanted, x.shape, weight.shape, out.shape, geometry, precision, after)
        cudnn = None if request is None else self._cudnn()
        if request is None or cudnn is None:
            return False
        given = {graph.X: x, graph.FILTER: weight, graph.OUT: out}
        return cudnn.run(request, arrays or (lambda: given))

    def _cudnn(self) -> Cudnn | None:
        """cuDNN on the current GPU; None, after one warning, if it cannot be used."""
        index = self.xp.cuda.runtime.getDevice()
        if index not in self._cudnns:
            self._cudnns[index] = None
            try:
                self._cudnns[index] = Cudnn(self.xp)
            except CudnnMissing as missing:
                logger.warning("%s; going on with slower convolutions, with the same numbers within rounding", missing)
        return self._cudnns[index]


def _fits(*arrays: Any) -> bool:
    """Can cuDNN read and write them: contiguous float32, aligned?"""
    return all(a.dtype.char == "f" and a.flags.c_contiguous and a.data.ptr % ALIGNMENT == 0 for a in arrays)
