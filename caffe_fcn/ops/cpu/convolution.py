"""Fast CPU operations: convolution."""

from __future__ import annotations

from typing import Any

from ..reference import ReferenceOps
from ..reference.convolution import Geometry
from . import product, threads
from .conv import blocked, choose, diagonal, narrow, winograd

FEW = 1 << 18  # values that one thread adds up sooner than two can start


class CpuConvolution(ReferenceOps):
    """Mixed into CpuOps. What no algorithm fits (more than three spatial axes) is left to the reference."""

    def convolution(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the convolution of x with weight, plus bias, to out."""
        weight, geometry = diagonal.reduce(x, weight, geometry)
        algorithm = choose(x.shape, out.shape, geometry, x.dtype)
        if algorithm is None:
            super().convolution(x, weight, bias, out, geometry)
        else:
            algorithm.forward(x, weight, bias, out, geometry)

    def convolution_relu(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the convolution to out, 0 where that is negative."""
        weight, geometry = diagonal.reduce(x, weight, geometry)
        algorithm = choose(x.shape, out.shape, geometry, x.dtype)
        if algorithm in (narrow, winograd):
            algorithm.forward(x, weight, bias, out, geometry, relu=True)
        else:
            super().convolution_relu(x, weight, bias, out, geometry)

    def convolution_backward_data(self, grad_out: Any, weight: Any, grad_x: Any, geometry: Geometry) -> None:
        """Write the gradient of the convolution's input."""
        weight, geometry = diagonal.reduce(grad_out, weight, geometry)
        algorithm = choose(grad_x.shape, grad_out.shape, geometry, grad_x.dtype)
        if algorithm is None:
            super().convolution_backward_data(grad_out, weight, grad_x, geometry)
        else:
            algorithm.backward_data(grad_out, weight, grad_x, geometry)

    def convolution_backward_weight(self, x: Any, grad_out: Any, grad_weight: Any, geometry: Geometry) -> None:
        """Add the gradient of the convolution's weight."""
        algorithm = choose(x.shape, grad_out.shape, geometry, x.dtype)
        if algorithm is None:
            super().convolution_backward_weight(x, grad_out, grad_weight, geometry)
        else:
            algorithm.backward_weight(x, grad_out, grad_weight, geometry)

    def bias_gradient(self, grad_out: Any, grad_bias: Any) -> None:
        """Add the gradient of a bias: threads share channels."""
        def part(first: int, last: int) -> None:
            ReferenceOps.bias_gradient(self, grad_out[:, first:last], grad_bias[first:last])

        if grad_out.size < FEW:
            part(0, len(grad_bias))
        else:
            threads.parallel(part, len(grad_bias))

    def im2col(self, x: Any, columns: Any, geometry: Geometry) -> None:
        """Write every kernel window of x to columns."""
        if not blocked.fits(x.shape, columns.shape, geometry):
            super().im2col(x, columns, geometry)
            return
        from .conv.column_kernels import im2col

        shape = blocked.frame(columns.shape, geometry)
        for image, result in zip(blocked.volumes(x, 1)[:, 0], blocked.pixels(columns, 1)[:, 0], strict=True):
            threads.parallel(im2col, len(image), image, result, 0, *shape.steps)

    def col2im(self, columns: Any, x: Any, geometry: Geometry) -> None:
        """Write to each value of x the sum of the columns that im2col would copy it to."""
        if not blocked.fits(x.shape, columns.shape, geometry):
            super().col2im(columns, x, geometry)
            return
        from .conv.column_kernels import col2im

        shape = blocked.frame(columns.shape, geometry)
        x[...] = 0
        for image, source in zip(blocked.volumes(x, 1)[:, 0], blocked.pixels(columns, 1)[:, 0], strict=True):
            threads.parallel(col2im, len(image), image, source, 0, *shape.steps)

    def product(self, a: Any, b: Any, out: Any) -> None:
        """Write the matrix product of a and b to out; for few rows all threads read parts of b."""
        product.write(a, b, out)

    def add_product(self, a: Any, b: Any, out: Any) -> None:
        """Add the matrix product of a and b to out, without a temporary of its size."""
        product.share(a, b, out, add=True)
