"""Any convolution of up to three spatial axes: columns of kernel windows times weight, a block of pixels at a time.

The columns of a block stay in the cache and in a buffer that is used again. Chellapilla et al., High Performance
Convolutional Neural Networks for Document Processing, 2006.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from ...reference.convolution import Geometry
from .. import threads
from ..product import multiply, share

BLOCK = 1 << 20  # bytes of columns that are aimed at, per thread
LARGEST = 32 << 20  # bytes of columns that are never passed, but for a single pixel
PIXELS = 192  # of a block at least, as long as LARGEST allows: a product of fewer wastes time on reading the weight
ROWS = 512  # rows of columns that a thread makes at a time in the backward passes, at most
SMALL = 4_000_000  # multiplications that are not worth starting threads


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


def parts(total: int, most: int) -> list[slice]:
    """Split `total` things into even parts of at most `most`, a multiple of the number of threads if several."""
    count = -(-total // most)
    if count > 1:
        count = min(total, -(-count // threads.count()) * threads.count())
    return [slice(total * index // count, total * (index + 1) // count) for index in range(count)]


def blocks(total: int, rows: int, itemsize: int) -> list[slice]:
    """Split `total` pixels into parts whose columns of `rows` values each keep to the limits above."""
    room = max(1, LARGEST // (rows * itemsize))
    return parts(total, min(max(PIXELS, BLOCK // (rows * itemsize)), room))


def spans(channels: int, shape: Frame, most: int) -> list[slice]:
    """Split input channels so that every thread has some and none makes more than `most` rows of columns."""
    share = -(-channels // threads.count())
    return parts(channels, max(1, min(share, most // shape.taps)))


def columns(x: np.ndarray, part: slice, shape: Frame, together: bool = False) -> np.ndarray:
    """The windows of x (C, depth, height, width) at some output pixels, as (C * taps, pixels) in scratch memory.

    `together` says that all threads make them.
    """
    from .column_kernels import im2col

    result = threads.scratch("columns", (x.shape[0] * shape.taps, part.stop - part.start), x.dtype)
    if together:
        threads.parallel(im2col, x.shape[0], x, result, part.start, *shape.steps)
    else:
        im2col(0, x.shape[0], x, result, part.start, *shape.steps)
    return result


def matrices(weight: np.ndarray, group: int) -> np.ndarray:
    """View (O, C/G, *kernel) as (G, O/G, K)."""
    return weight.reshape(group, weight.shape[0] // group, math.prod(weight.shape[1:]))


def is_small(weight: np.ndarray, out: np.ndarray) -> bool:
    """Is the whole convolution too little work for threads?"""
    return weight.size * (out.size // max(1, out.shape[1])) < SMALL


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry) -> None:
    """Write the convolution: threads share the blocks or, when there are too few, the work on each block."""
    shape, group = frame(out.shape, geometry), geometry.group
    images, results, weights = volumes(x, group), pixels(out, group), matrices(weight, group)
    biases = None if bias is None else bias.reshape(group, -1, 1)
    tasks = list(itertools.product(range(len(x)), range(group), blocks(shape.pixels, weights.shape[2], x.itemsize)))
    alone = is_small(weight, out)
    together = not alone and len(tasks) < threads.count()

    def task(number: int) -> None:
        image, index, part = tasks[number]
        target = results[image, index, :, part]
        product = share if together else multiply
        product(weights[index], columns(images[image, index], part, shape, together), target)
        if biases is not None:
            target += biases[index]

    threads.each(task, len(tasks), alone or together)


def backward_data(grad_out: np.ndarray, weight: np.ndarray, grad_x: np.ndarray, geometry: Geometry) -> None:
    """Write the gradient of the input: threads share images and input channels."""
    from .column_kernels import col2im

    shape, group, taps = frame(grad_out.shape, geometry), geometry.group, geometry.taps
    images, grads, weights = volumes(grad_x, group), pixels(grad_out, group), matrices(weight, group)
    tasks = list(itertools.product(range(len(grad_x)), range(group), spans(images.shape[2], shape, ROWS)))

    def task(number: int) -> None:
        image, index, span = tasks[number]
        target = images[image, index, span]
        target[...] = 0
        matrix = weights[index, :, span.start * taps:span.stop * taps].T
        for part in blocks(shape.pixels, len(matrix), grad_x.itemsize):
            cols = threads.scratch("columns", (len(matrix), part.stop - part.start), grad_x.dtype)
            multiply(matrix, grads[image, index, :, part], cols)
            col2im(0, len(target), target, cols, part.start, *shape.steps)

    threads.each(task, len(tasks), is_small(weight, grad_out))


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight: threads share input channels, so that images are added in their order."""
    shape, group, taps = frame(grad_out.shape, geometry), geometry.group, geometry.taps
    images, grads, totals = volumes(x, group), pixels(grad_out, group), matrices(grad_weight, group)
    tasks = list(itertools.product(range(group), spans(images.shape[2], shape, ROWS)))

    def task(number: int) -> None:
        index, span = tasks[number]
        total = totals[index, :, span.start * taps:span.stop * taps]
        for image, part in itertools.product(range(len(x)), blocks(shape.pixels, total.shape[1], x.itemsize)):
            multiply(grads[image, index, :, part], columns(images[image, index, span], part, shape).T, total, add=True)

    threads.each(task, len(tasks), is_small(grad_weight, grad_out))
