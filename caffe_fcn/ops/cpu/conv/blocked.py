"""Any convolution of up to three spatial axes: columns of kernel windows times weight, a block of pixels at a time.

The columns of a block stay in the cache and in a buffer that is used again. Chellapilla et al., High Performance
Convolutional Neural Networks for Document Processing, 2006.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ...reference.convolution import Geometry
from .. import threads

BLOCK = 4 << 20  # bytes of columns that are aimed at
LARGEST = 64 << 20  # bytes of columns that are never passed, but for a single pixel
PIXELS = 512  # of a block at least, as long as LARGEST allows: a product of fewer wastes time on reading the weight
TEMPORARY = 8 << 20  # bytes of a weight gradient before it is added


def fits(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> bool:
    """Are there one to three spatial axes?"""
    return 1 <= len(x) - 2 <= 3


class Frame(NamedTuple):
    """A geometry of three spatial axes, as the kernels want it."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]
    group: int
    taps: int

    @property
    def pixels(self) -> int:
        """Output pixels of one image."""
        return math.prod(self.out)

    @property
    def steps(self) -> tuple[tuple[int, ...], ...]:
        """What a kernel takes: sizes of kernel, stride, pad, dilation and output."""
        return self.kernel, self.stride, self.pad, self.dilation, self.out


def _three(values: tuple[int, ...], fill: int) -> tuple[int, ...]:
    return (fill,) * (3 - len(values)) + tuple(values)


def frame(out: tuple[int, ...], geometry: Geometry) -> Frame:
    """The geometry with leading axes of size 1, for an output (N, O, *out)."""
    return Frame(_three(geometry.kernel, 1), _three(geometry.stride, 1), _three(geometry.pad, 0),
                 _three(geometry.dilation, 1), _three(out[2:], 1), geometry.group, geometry.taps)


def volumes(x: np.ndarray, group: int) -> np.ndarray:
    """View (N, C, *sizes) as (N, G, C/G, depth, height, width)."""
    return x.reshape(x.shape[0], group, x.shape[1] // group, *_three(x.shape[2:], 1))


def pixels(x: np.ndarray, group: int) -> np.ndarray:
    """View (N, C, *sizes) as (N, G, C/G, P)."""
    return x.reshape(x.shape[0], group, x.shape[1] // group, math.prod(x.shape[2:]))


def blocks(total: int, rows: int, itemsize: int) -> Iterator[slice]:
    """Split `total` pixels into even parts whose columns of `rows` values each keep to the limits above."""
    room = max(1, LARGEST // (rows * itemsize))
    most = min(max(PIXELS, BLOCK // (rows * itemsize)), room)
    count = -(-total // most)
    for index in range(count):
        yield slice(total * index // count, total * (index + 1) // count)


def columns(x: np.ndarray, part: slice, shape: Frame) -> np.ndarray:
    """The windows of x (C, depth, height, width) at some output pixels, as (C * taps, pixels) in scratch memory."""
    from .column_kernels import im2col

    result = threads.scratch("columns", (x.shape[0] * shape.taps, part.stop - part.start), x.dtype)
    threads.parallel(im2col, x.shape[0], x, result, part.start, *shape.steps)
    return result


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry) -> None:
    """Write the convolution."""
    shape, group = frame(out.shape, geometry), geometry.group
    weights = weight.reshape(group, weight.shape[0] // group, math.prod(weight.shape[1:]))  # (G, O/G, K)
    biases = None if bias is None else bias.reshape(group, -1, 1)
    for image, result in zip(volumes(x, group), pixels(out, group), strict=True):
        for part in blocks(shape.pixels, weights.shape[2], x.itemsize):
            for index in range(group):
                target = result[index, :, part]
                np.matmul(weights[index], columns(image[index], part, shape), out=target)
                if biases is not None:
                    target += biases[index]


def backward_data(grad_out: np.ndarray, weight: np.ndarray, grad_x: np.ndarray, geometry: Geometry) -> None:
    """Write the gradient of the input."""
    from .column_kernels import col2im

    shape, group = frame(grad_out.shape, geometry), geometry.group
    weights = weight.reshape(group, weight.shape[0] // group, math.prod(weight.shape[1:]))
    rows = weights.shape[2]
    grad_x[...] = 0
    for grads, image in zip(pixels(grad_out, group), volumes(grad_x, group), strict=True):
        for part in blocks(shape.pixels, rows, grad_x.itemsize):
            for index in range(group):
                cols = threads.scratch("columns", (rows, part.stop - part.start), grad_x.dtype)
                np.matmul(weights[index].T, grads[index, :, part], out=cols)
                threads.parallel(col2im, image.shape[1], image[index], cols, part.start, *shape.steps)


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight, some input channels at a time."""
    shape, group = frame(grad_out.shape, geometry), geometry.group
    totals = grad_weight.reshape(group, grad_weight.shape[0] // group, math.prod(grad_weight.shape[1:]))
    step = max(1, TEMPORARY // max(1, totals.shape[1] * shape.taps * x.itemsize))  # input channels
    for image, grads in zip(volumes(x, group), pixels(grad_out, group), strict=True):
        for index in range(group):
            for channel in range(0, image.shape[1], step):
                _add_gradient(image[index, channel:channel + step], grads[index], shape,
                              totals[index, :, channel * shape.taps:(channel + step) * shape.taps])


def _add_gradient(image: np.ndarray, grads: Any, shape: Frame, total: np.ndarray) -> None:
    """Add to total (O, C * taps) the part that the channels (C, depth, height, width) of one image give."""
    product = threads.scratch("product", total.shape, total.dtype)
    for part in blocks(shape.pixels, total.shape[1], image.itemsize):
        np.matmul(grads[:, part], columns(image, part, shape).T, out=product)
        total += product
