"""3x3 kernels with stride 1: tiles of outputs from fewer products per pair of channels.

A. Lavin, S. Gray: Fast Algorithms for Convolutional Neural Networks, CVPR 2016; the F(4x4, 3x3) there, 36 products
instead of 144, and on large maps F(6x6, 3x3), 64 instead of 324. Tiles go through transform, matrix products and
transform back within the caches: in blocks, one thread per block, or where there are few, one thread per some outputs.
The weight is transformed in every call: nobody has to know when it changed.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from ...reference.convolution import Geometry
from .. import threads

BLOCK = 2 << 20  # bytes of transformed values that are aimed at, per thread, unless the transformed weight has more
SHARED = 8 << 20  # bytes of transformed values for a weight's gradient, unless that has half as many
NEAR = 10 << 20  # bytes of transformed values that stay in a cache which threads share
CHANNELS = 4  # of the input at least; fewer are few products per transform
MANY = 32  # tiles of six by six at least; the saving is small for fewer
TILES = 16  # at least; for fewer the transform of the weight may take longer than it saves


def fits(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> bool:
    """Is it a 3x3 kernel with stride 1 that has work enough?"""
    return (geometry.kernel == (3, 3) and geometry.stride == (1, 1) and geometry.dilation == (1, 1)
            and geometry.group == 1 and x[1] >= CHANNELS and x[0] * math.prod(_tiles(out)) >= TILES)


def _tiles(out: tuple[int, ...], size: int = 4) -> tuple[int, int]:
    """Tiles along height and width."""
    return -(-out[2] // size), -(-out[3] // size)


def tile(out: tuple[int, ...]) -> int:
    """Outputs along a side of a tile, 4 or 6: what takes fewer products, in whole vectors of tiles.

    The larger tile has to save a tenth: its weight is nearly twice as large when it is transformed, its errors are
    seven times as large.
    """
    from ..simd import WIDTH

    tiles = {size: out[0] * math.prod(_tiles(out, size)) for size in (4, 6)}
    work = {size: (size + 2)**2 * -(-count // WIDTH) for size, count in tiles.items()}
    return 6 if tiles[6] >= MANY and work[6] < 0.9 * work[4] else 4


def _planes(x: np.ndarray) -> np.ndarray:
    """View (N, C, H, W) as (N * C, H, W)."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def _lines(across: int, size: int) -> np.ndarray:
    """Scratch memory for the rows of `across` tiles and what vectors take more."""
    from ..simd import WIDTH

    pitch = -(-size * across // WIDTH) * WIDTH + (size + 2) * WIDTH
    return threads.scratch("winograd lines", ((size + 2) * pitch,), np.float32)


def _cut(tiles: int, each: int) -> list[int]:
    """Split tiles into even blocks of whole panels; where each begins, and the end."""
    from ..tile_product import RIGHT

    panels = -(-tiles // RIGHT)
    count = max(1, -(-panels // max(1, each)))
    if panels > 1:
        count = min(panels, -(-count // threads.count()) * threads.count())
    return [min(tiles, panels * n // count * RIGHT) for n in range(count + 1)]


class _Call(NamedTuple):
    """A convolution to compute: planes, sizes and what both ways of sharing the work need."""

    x: np.ndarray  # (N * channels, height, width)
    weight: np.ndarray
    flip: bool  # is the weight to be turned and transposed?
    bias: np.ndarray
    relu: bool
    out: np.ndarray  # (N * outputs, height, width)
    channels: int
    outputs: int
    pad: tuple[int, ...]
    size: int  # outputs along a side of a tile
    tiles: tuple[int, int]
    total: int  # tiles

    @property
    def parts(self) -> int:
        """Panels of the transformed weight."""
        from ..tile_product import LEFT

        return -(-self.outputs // LEFT)

    def lines(self) -> np.ndarray:
        """Scratch memory for rows of tiles."""
        return _lines(self.tiles[1], self.size)

    def data(self, panels: int) -> np.ndarray:
        """Scratch memory for so many panels of transformed tiles."""
        from .winograd_kernels import DEPTH, GROUP

        numbers = (self.size + 2)**2
        return threads.scratch("winograd data", (numbers * panels * -(-self.channels // DEPTH) * GROUP,), np.float32)

    def left(self, parts: int) -> np.ndarray:
        """Scratch memory for so many panels of the transformed weight."""
        from ..simd import WIDTH
        from ..tile_product import LEFT

        shape = (self.size + 2)**2, parts * (self.channels * LEFT + WIDTH) + WIDTH
        return threads.scratch("winograd weight", shape, np.float32)

    def result(self, panels: int, parts: int) -> np.ndarray:
        """Scratch memory for the products of such panels."""
        from ..simd import WIDTH
        from ..tile_product import LEFT, RIGHT

        numbers = (self.size + 2)**2
        return threads.scratch("winograd result", (numbers * panels * (parts * LEFT * RIGHT + WIDTH),), np.float32)


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, out: np.ndarray, pad: tuple[int, ...],
              flip: bool, relu: bool) -> None:
    """Write the convolution of x (N, C, H, W) with weight, turned and transposed if `flip` says so."""
    from ..tile_product import RIGHT

    size = tile(out.shape)
    tiles = _tiles(out.shape, size)
    call = _Call(_planes(x), weight, flip, bias, relu, _planes(out), x.shape[1], out.shape[1], pad, size, tiles,
                 x.shape[0] * math.prod(tiles))
    if not call.total:
        return
    panels = -(-call.total // RIGHT)
    few = panels < 4 * threads.count() and call.parts > 1
    if few and 4 * (size + 2)**2 * panels * RIGHT * call.channels <= NEAR:
        _by_outputs(call, panels)
    else:
        _by_tiles(call)


def _by_tiles(call: _Call) -> None:
    """Share blocks of tiles: each is transformed, multiplied by the whole weight, and transformed back."""
    from ..tile_product import RIGHT
    from . import winograd_kernels as kernels

    left = call.left(call.parts)
    threads.parallel(kernels.of_weight, call.parts, 0, call.weight, call.flip, call.size, left)
    panel = 4 * (call.size + 2)**2 * RIGHT * (call.channels + call.outputs)  # bytes
    edges = _cut(call.total, max(2 if left.nbytes > SHARED else 1, BLOCK // panel))
    blocks = len(edges) - 1
    most = -(-max(b - a for a, b in itertools.pairwise(edges)) // RIGHT)
    shares = min(blocks, 8 * threads.count())

    def task(number: int) -> None:
        kernels.by_tiles(blocks * number // shares, blocks * (number + 1) // shares, np.array(edges), call.x, call.pad,
                         left, call.channels, call.bias, call.relu, call.out, call.outputs, call.size, call.tiles,
                         call.data(most), call.result(most, call.parts), call.lines())

    threads.each(task, shares)


def _by_outputs(call: _Call, panels: int) -> None:
    """Transform all tiles, then share outputs: each thread transforms the weights of its own."""
    from . import winograd_kernels as kernels

    data = call.data(panels)

    def transform(low: int, high: int) -> None:
        first, last = low * kernels.DEPTH, min(high * kernels.DEPTH, call.channels)
        kernels.to_panels(first, last, 0, call.channels, call.channels, call.x, call.size, call.size + 2, call.pad,
                          call.tiles, 0, call.total, data, call.lines())

    threads.parallel(transform, -(-call.channels // kernels.DEPTH))
    each = max(1, min(kernels.CHUNK, call.parts // (2 * threads.count())))  # two shares per thread at least
    shares = -(-call.parts // each)

    def task(number: int) -> None:
        first, last = each * number, min(each * number + each, call.parts)
        kernels.by_outputs(first, last, call.weight, call.flip, data, call.channels, call.bias, call.relu, call.out,
                           call.outputs, call.size, call.tiles, call.total, call.left(each), call.result(panels, each),
                           call.lines())

    threads.each(task, shares)


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry,
            relu: bool = False) -> None:
    """Write the convolution; with `relu`, what is negative becomes 0."""
    offset = np.zeros(out.shape[1], np.float32) if bias is None else bias
    _convolve(x, weight, offset, out, geometry.pad, False, relu)


def backward_data(grad_out: np.ndarray, weight: np.ndarray, grad_x: np.ndarray, geometry: Geometry) -> None:
    """Write the gradient of the input: the convolution of that of the output with the kernels turned around."""
    pad = 2 - geometry.pad[0], 2 - geometry.pad[1]  # may be negative: then a margin of grad_out is left out
    _convolve(grad_out, weight, np.zeros(grad_x.shape[1], np.float32), grad_x, pad, True, False)


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight: products of transformed images and gradients, summed over all tiles."""
    from ..simd import WIDTH
    from ..tile_product import LEFT, RIGHT
    from . import winograd_kernels as kernels

    if not len(x):
        return
    size = tile(grad_out.shape)
    channels, outputs, tiles, numbers = x.shape[1], grad_out.shape[1], _tiles(grad_out.shape, size), (size + 2)**2
    rows, columns = -(-outputs // LEFT), -(-channels // RIGHT)
    sums = threads.scratch("winograd weight", (numbers, rows * LEFT, columns * RIGHT), np.float32)
    images, grads = _planes(x), _planes(grad_out)
    total = x.shape[0] * math.prod(tiles)
    each = max(RIGHT, max(SHARED, 2 * sums.nbytes) // (4 * numbers * (rows * LEFT + columns * RIGHT)) // RIGHT * RIGHT)
    for first in range(0, total, each):
        count = min(each, total - first)
        room = -(-count // WIDTH) * WIDTH
        left = threads.scratch("winograd left", (numbers, rows, room, LEFT), np.float32)
        right = threads.scratch("winograd right", (numbers, columns, room, RIGHT), np.float32)

        def transform(number: int, first: int = first, count: int = count, left: np.ndarray = left,
                      right: np.ndarray = right) -> None:
            gradient = number < rows
            index, wide, most = (number, LEFT, outputs) if gradient else (number - rows, RIGHT, channels)
            low, high = index * wide, min(index * wide + wide, most)
            panels = -(-count // RIGHT)
            data = threads.scratch("winograd data", (numbers * panels * kernels.GROUP,), np.float32)
            source, height, pad = (grads, size, (0, 0)) if gradient else (images, size + 2, geometry.pad)
            kernels.to_panels(low, high, low, high, most, source, size, height, pad, tiles, first, first + count, data,
                              _lines(tiles[1], size))
            target = left if gradient else right
            kernels.turn(numbers, count, data, target, index * target[0, 0].size, target[0].size, wide)

        threads.each(transform, rows + columns)
        threads.each(lambda k, count=count, left=left, right=right, add=first > 0:  # type: ignore[misc]
                     kernels.sum_products(k, count, left, right, sums, add), numbers)
    threads.parallel(kernels.to_weight, outputs, size, sums, grad_weight)
