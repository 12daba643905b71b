"""Few input channels, as of a picture: output and gradient of the weight from short columns.

The columns of some pixels are brought into the order of `tile_product` within the cache, so that an output is written
once, with its bias and if wanted after ReLU. The gradient of the input is that of `blocked`.
"""

from __future__ import annotations

import math

import numpy as np

from ...reference.convolution import Geometry
from .. import threads
from .blocked import backward_data as backward_data

COLUMN = 32  # values of a column at most; whole panels of right operands, whatever the processor
BLOCKS = 32  # sums that are made apart; not of the number of threads, so that results do not depend on it
PIXELS = 1 << 12  # of the outputs at least; fewer are not worth it


def fits(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> bool:
    """Is it a kernel on two axes with stride 1 whose columns are short?"""
    return (len(x) == 4 and geometry.stride == geometry.dilation == (1, 1) and geometry.group == 1
            and x[1] * geometry.taps <= COLUMN and x[0] * math.prod(out[2:]) >= PIXELS)


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry,
            relu: bool = False) -> None:
    """Write the convolution, with `relu` 0 where it is negative: threads share blocks of rows of pixels."""
    from ..tile_product import LEFT, RIGHT, ROWS
    from . import narrow_kernels as kernels

    outputs, taps = weight.shape[0], x.shape[1] * geometry.taps
    padded = np.zeros((-(-outputs // LEFT) * LEFT, taps + 1), np.float32)  # the last column is the bias
    padded[:outputs, :taps] = weight.reshape(outputs, taps)
    if bias is not None:
        padded[:outputs, taps] = bias
    left = np.ascontiguousarray(padded.reshape(-1, LEFT, taps + 1).transpose(0, 2, 1)).reshape(-1)
    images, planes = (array.reshape(-1, *array.shape[2:]) for array in (x, out))
    lines = out.shape[0] * out.shape[2]
    blocks = min(BLOCKS, lines)

    def task(block: int) -> None:
        kernels.write_lines(lines * block // blocks, lines * (block + 1) // blocks, images, left, outputs,
                            geometry.kernel, geometry.pad, relu, planes,
                            threads.scratch("narrow lines", (COLUMN * kernels.REACH,), np.float32),
                            threads.scratch("narrow right", (kernels.WINDOWS,), np.float32),
                            threads.scratch("corner", (ROWS * RIGHT,), np.float32))

    threads.each(task, blocks)


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight: threads share blocks of rows of pixels."""
    from ..tile_product import LEFT
    from . import narrow_kernels as kernels

    outputs, taps = grad_out.shape[1], x.shape[1] * geometry.taps
    images, grads = (array.reshape(-1, *array.shape[2:]) for array in (x, grad_out))
    lines = grad_out.shape[0] * grad_out.shape[2]
    blocks = min(BLOCKS, lines)
    sums = np.zeros((blocks, -(-outputs // LEFT) * LEFT, COLUMN), np.float32)

    def task(block: int) -> None:
        rows = threads.scratch("narrow lines", (kernels.LINES,), np.float32)
        rows[...] = 0  # of what is no column
        kernels.sum_lines(lines * block // blocks, lines * (block + 1) // blocks, images, grads, outputs,
                          geometry.kernel, geometry.pad, rows,
                          threads.scratch("narrow left", (kernels.SOME * LEFT,), np.float32),
                          threads.scratch("narrow right", (kernels.SOME * COLUMN,), np.float32), sums[block])

    threads.each(task, blocks)
    grad_weight += sums.sum(axis=0)[:outputs, :taps].reshape(grad_weight.shape)
