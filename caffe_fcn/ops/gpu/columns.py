"""Convolution on the GPU without cuDNN: kernel windows as columns, multiplied by cuBLAS; channels alone directly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..reference import ReferenceOps
from ..reference.convolution import Geometry
from .launch import NULL, covers, launch

WORKSPACE = 1 << 26  # values of the columns that are made at a time
PARTS = 1 << 18  # sums into which the gradient of a depthwise weight is split, about


def _axes(sizes: Sequence[int], out: Sequence[int], geometry: Geometry) -> tuple[int, ...]:
    """What the kernels take of each of three axes, missing ones first: in, out, kernel, stride, pad, dilation."""
    found = zip(sizes, out, geometry.kernel, geometry.stride, geometry.pad, geometry.dilation, strict=True)
    return (*(1, 1, 1, 1, 0, 1) * (3 - len(out)), *(int(number) for axis in found for number in axis))


def _fits(geometry: Geometry, *arrays: Any) -> bool:
    return len(geometry.kernel) <= 3 and covers(*arrays)


def is_depthwise(x: Any, geometry: Geometry) -> bool:
    """Does each channel of x have outputs of its own?"""
    return bool(geometry.group == x.shape[1] > 1)


def _is_pointwise(geometry: Geometry) -> bool:
    return geometry.taps == 1 and not any(geometry.pad) and all(stride == 1 for stride in geometry.stride)


class GpuColumns(ReferenceOps):
    """Mixed into GpuOps. See ConvolutionOps. More than three spatial axes are left to the reference."""

    def convolution(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the convolution of x with weight, plus bias, to out."""
        if not _fits(geometry, x, weight, out):
            super().convolution(x, weight, bias, out, geometry)
            return
        if is_depthwise(x, geometry):
            launch("columns", "depthwise", out.size, x.dtype, x, weight, NULL if bias is None else bias, out,
                   x.shape[1], out.shape[1] // x.shape[1], *_axes(x.shape[2:], out.shape[2:], geometry))
            return
        self._multiply(x, weight, out, geometry)
        if bias is not None:
            add_bias(out, bias, False)

    def convolution_relu(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the convolution to out, 0 where that is negative."""
        if bias is None or not _fits(geometry, x, weight, out) or is_depthwise(x, geometry):
            super().convolution_relu(x, weight, bias, out, geometry)
            return
        self._multiply(x, weight, out, geometry)
        add_bias(out, bias, True)

    def _multiply(self, x: Any, weight: Any, out: Any, geometry: Geometry) -> None:
        """Write the convolution of x with weight to out."""
        weights = weight.reshape(geometry.group, weight.shape[0] // geometry.group, math.prod(weight.shape[1:]))
        for n, part, columns in self._parts(x, out.shape[2:], geometry):
            whole = self._groups(out[n:n + 1], geometry)[0]  # (G, O/G, pixels)
            if part.stop - part.start == whole.shape[2]:
                self.xp.matmul(weights, columns, out=whole)
            else:
                whole[:, :, part] = weights @ columns

    def convolution_backward_data(self, grad_out: Any, weight: Any, grad_x: Any, geometry: Geometry) -> None:
        """Write the gradient of the convolution's input."""
        if not _fits(geometry, grad_out, weight, grad_x):
            super().convolution_backward_data(grad_out, weight, grad_x, geometry)
            return
        axes = _axes(grad_x.shape[2:], grad_out.shape[2:], geometry)
        if is_depthwise(grad_x, geometry):
            channels = grad_x.shape[1]
            launch("columns", "depthwise_backward_data", grad_x.size, grad_x.dtype, grad_out, weight, grad_x,
                   channels, grad_out.shape[1] // channels, *axes)
            return
        if not grad_out.size:
            grad_x[...] = 0
            return
        weights = weight.reshape(geometry.group, weight.shape[0] // geometry.group, math.prod(weight.shape[1:]))
        turned = self.xp.swapaxes(weights, 1, 2)  # (G, C/G * taps, O/G)
        for n in range(len(grad_x)):
            for part in _blocks(grad_x.shape[1] * geometry.taps, math.prod(grad_out.shape[2:])):
                columns = turned @ self._groups(grad_out[n:n + 1], geometry)[0][:, :, part]
                if _is_pointwise(geometry):
                    self._groups(grad_x[n:n + 1], geometry)[0][:, :, part] = columns
                else:
                    launch("columns", "col2im", grad_x[n].size, grad_x.dtype, columns, grad_x[n], part.start,
                           part.stop - part.start, int(part.start > 0), *axes)

    def convolution_backward_weight(self, x: Any, grad_out: Any, grad_weight: Any, geometry: Geometry) -> None:
        """Add the gradient of the convolution's weight."""
        if not _fits(geometry, x, grad_out, grad_weight):
            super().convolution_backward_weight(x, grad_out, grad_weight, geometry)
            return
        if is_depthwise(x, geometry):
            self._depthwise_weight(x, grad_out, grad_weight, geometry)
            return
        totals = grad_weight.reshape(geometry.group, grad_weight.shape[0] // geometry.group, -1)
        for n, part, columns in self._parts(x, grad_out.shape[2:], geometry):
            grads = self._groups(grad_out[n:n + 1], geometry)[0][:, :, part]
            totals += grads @ self.xp.swapaxes(columns, 1, 2)

    def _depthwise_weight(self, x: Any, grad_out: Any, grad_weight: Any, geometry: Geometry) -> None:
        """Sums over blocks of all pixels, then their sum: the same bits every time."""
        places = len(x) * math.prod(grad_out.shape[2:])
        if not places:
            return
        block = -(-places // max(1, PARTS // grad_weight.size))
        parts = self.xp.empty((-(-places // block), *grad_weight.shape), x.dtype)
        launch("columns", "depthwise_backward_weight", parts.size, x.dtype, x, grad_out, parts, x.shape[1],
               grad_out.shape[1] // x.shape[1], len(x), block, *_axes(x.shape[2:], grad_out.shape[2:], geometry))
        grad_weight += parts.sum(axis=0)

    def im2col(self, x: Any, columns: Any, geometry: Geometry) -> None:
        """Write every kernel window of x to columns."""
        if not _fits(geometry, x, columns):
            super().im2col(x, columns, geometry)
            return
        axes, pixels = _axes(x.shape[2:], columns.shape[2:], geometry), math.prod(columns.shape[2:])
        for image, result in zip(x, columns, strict=True):
            launch("columns", "im2col", result.size, x.dtype, image, result, 0, pixels, *axes)

    def col2im(self, columns: Any, x: Any, geometry: Geometry) -> None:
        """Write to each value of x the sum of the columns that im2col would copy it to."""
        if not _fits(geometry, x, columns):
            super().col2im(columns, x, geometry)
            return
        axes, pixels = _axes(x.shape[2:], columns.shape[2:], geometry), math.prod(columns.shape[2:])
        for image, source in zip(x, columns, strict=True):
            launch("columns", "col2im", image.size, x.dtype, source, image, 0, pixels, 0, *axes)

    def _parts(self, x: Any, out: Sequence[int], geometry: Geometry) -> Iterator[tuple[int, slice, Any]]:
        """For each image, blocks of output pixels and their columns (G, C/G * taps, pixels)."""
        rows, axes = x.shape[1] * geometry.taps, _axes(x.shape[2:], out, geometry)
        for n in range(len(x)):
            for part in _blocks(rows, math.prod(out)):
                pixels = part.stop - part.start
                if _is_pointwise(geometry):
                    yield n, part, self._groups(x[n:n + 1], geometry)[0][:, :, part]
                    continue
                columns = self.xp.empty((geometry.group, rows // geometry.group, pixels), x.dtype)
                launch("columns", "im2col", columns.size, x.dtype, x[n], columns, part.start, pixels, *axes)
                yield n, part, columns


def add_bias(out: Any, bias: Any, rectify: bool) -> None:
    """Add a bias (O,) to out (N, O, *out), then write 0 where that is negative, if asked to."""
    launch("elementwise", "add_bias", out.size, out.dtype, out, bias, out.shape[1], math.prod(out.shape[2:]),
           int(rectify))


def _blocks(rows: int, pixels: int) -> Iterator[slice]:
    """Cut pixels so that a block of columns keeps within the workspace."""
    step = max(1, WORKSPACE // max(rows, 1))
    for start in range(0, pixels, step):
        yield slice(start, min(start + step, pixels))
