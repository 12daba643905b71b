"""3x3 kernels with stride 1: four by four outputs from 36 products per pair of channels instead of 144.

A. Lavin, S. Gray: Fast Algorithms for Convolutional Neural Networks, CVPR 2016; the F(4x4, 3x3) there. Blocks of tiles
go through transform, 36 matrix products and transform back within the caches, one thread per block. The weight is
transformed in every call: that costs a few hundredths of the products, and nobody has to know when it changed.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from ...reference.convolution import Geometry
from .. import threads

BLOCK = 2 << 20  # bytes of transformed values that are aimed at, per thread, unless the transformed weight has more
SHARED = 8 << 20  # bytes of transformed values for a weight's gradient, unless that has half as many
CHANNELS = 4  # of the input at least; fewer are few products per transform
TILES = 16  # at least; for fewer the transform of the weight may take longer than it saves


def fits(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> bool:
    """Is it a 3x3 kernel with stride 1 that has work enough?"""
    return (geometry.kernel == (3, 3) and geometry.stride == (1, 1) and geometry.dilation == (1, 1)
            and geometry.group == 1 and x[1] >= CHANNELS and x[0] * math.prod(_tiles(out)) >= TILES)


def _tiles(out: tuple[int, ...]) -> tuple[int, int]:
    """Tiles along height and width."""
    return -(-out[2] // 4), -(-out[3] // 4)


def _planes(x: np.ndarray) -> np.ndarray:
    """View (N, C, H, W) as (N * C, H, W)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _lines(across: int) -> np.ndarray:
    """Scratch memory for six rows of `across` tiles and what vectors take more."""
    from ..simd import WIDTH

    return threads.scratch("winograd lines", (6, max(4 * across + 4 + 8 * WIDTH, 5 * WIDTH)), np.float32).reshape(-1)


def _cut(tiles: int, each: int) -> list[tuple[int, int]]:
    """Split tiles into even blocks of whole panels: (start, stop)."""
    from ..tile_product import RIGHT

    panels = -(-tiles // RIGHT)
    count = max(1, -(-panels // max(1, each)))
    if panels > 1:
        count = min(panels, -(-count // threads.count()) * threads.count())
    edges = [min(tiles, panels * n // count * RIGHT) for n in range(count + 1)]
    return list(itertools.pairwise(edges)) if tiles else []


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, out: np.ndarray, pad: tuple[int, ...],
              flip: bool) -> None:
    """Write the convolution of x (N, C, H, W) with weight, turned and transposed if `flip` says so."""
    from ..simd import WIDTH
    from ..tile_product import LEFT, RIGHT
    from . import winograd_kernels as kernels

    channels, outputs, tiles = x.shape[1], out.shape[1], _tiles(out.shape)
    parts = -(-outputs // LEFT)
    left = threads.scratch("winograd weight", (parts, 36, channels * LEFT + WIDTH), np.float32)
    threads.parallel(kernels.of_weight, parts, weight, flip, left)
    source, target = _planes(x), _planes(out)
    panel = 4 * 36 * RIGHT * (channels + outputs)  # bytes
    blocks = _cut(x.shape[0] * math.prod(tiles), max(BLOCK, left.nbytes) // panel)

    def task(number: int) -> None:
        start, stop = blocks[number]
        panels, lines = -(-(stop - start) // RIGHT), _lines(tiles[1])
        data = threads.scratch("winograd data", (36, panels, channels * RIGHT + WIDTH), np.float32)
        result = threads.scratch("winograd result", (36, panels, parts * LEFT * RIGHT + WIDTH), np.float32)
        kernels.to_panels(0, channels, channels, source, 6, pad, tiles, start, stop, data, lines)
        kernels.products(start, stop, left, data, channels, outputs, result)
        kernels.from_panels(outputs, result, bias, target, tiles, start, stop, lines)

    threads.each(task, len(blocks))


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry) -> None:
    """Write the convolution."""
    _convolve(x, weight, np.zeros(out.shape[1], np.float32) if bias is None else bias, out, geometry.pad, False)


def backward_data(grad_out: np.ndarray, weight: np.ndarray, grad_x: np.ndarray, geometry: Geometry) -> None:
    """Write the gradient of the input: the convolution of that of the output with the kernels turned around."""
    pad = 2 - geometry.pad[0], 2 - geometry.pad[1]  # may be negative: then a margin of grad_out is left out
    _convolve(grad_out, weight, np.zeros(grad_x.shape[1], np.float32), grad_x, pad, True)


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight: products of transformed images and gradients, summed over all tiles."""
    from ..simd import WIDTH
    from ..tile_product import LEFT, RIGHT
    from . import winograd_kernels as kernels

    if not len(x):
        return
    channels, outputs, tiles = x.shape[1], grad_out.shape[1], _tiles(grad_out.shape)
    rows, columns = -(-outputs // LEFT), -(-channels // RIGHT)
    sums = threads.scratch("winograd weight", (36, rows * LEFT, columns * RIGHT), np.float32)
    images, grads = _planes(x), _planes(grad_out)
    total = x.shape[0] * math.prod(tiles)
    each = max(RIGHT, max(SHARED, 2 * sums.nbytes) // (4 * 36 * (rows * LEFT + columns * RIGHT)) // RIGHT * RIGHT)
    for first in range(0, total, each):
        count = min(each, total - first)
        room = -(-count // WIDTH) * WIDTH
        left = threads.scratch("winograd left", (36, rows, room, LEFT), np.float32)
        right = threads.scratch("winograd right", (36, columns, room, RIGHT), np.float32)

        def transform(number: int, first: int = first, count: int = count, left: np.ndarray = left,
                      right: np.ndarray = right) -> None:
            gradient = number < rows
            index, wide, most = (number, LEFT, outputs) if gradient else (number - rows, RIGHT, channels)
            low, high = index * wide, min(index * wide + wide, most)
            panels = -(-count // RIGHT)
            data = threads.scratch("winograd data", (36 * panels * (wide * RIGHT + WIDTH) + wide * RIGHT,), np.float32)
            source, height, pad = (grads, 4, (0, 0)) if gradient else (images, 6, geometry.pad)
            kernels.to_panels(low, high, most, source, height, pad, tiles, first, first + count, data, _lines(tiles[1]))
            target = left if gradient else right
            kernels.turn(high - low, count, data, target, index * target[0, 0].size, target[0].size, wide)

        threads.each(transform, rows + columns)
        threads.each(lambda k, count=count, left=left, right=right, add=first > 0:  # type: ignore[misc]
                     kernels.sum_products(k, count, left, right, sums, add), 36)
    threads.parallel(kernels.to_weight, outputs, sums, grad_weight)
