"""Kernels of 5 to 8 taps along both axes with stride 1: four by four outputs from 169 to 196 products.

A kernel is cut into four pieces of up to 4 x 4 taps, each run by Winograd's algorithm for four by four outputs; all
pieces share the transform of the image and that of the output. A. Lavin, S. Gray: Fast Algorithms for Convolutional
Neural Networks, CVPR 2016. There are many weights and few tiles where such kernels are used, so that the weight is
transformed block by block, right before its products, and never lies in memory as a whole.
"""

from __future__ import annotations

import math

import numpy as np

from ...reference.convolution import Geometry
from .. import threads

CHANNELS = 16  # of input and output at least: lanes of vectors
FIXED, PER_TILE = 1500, 150  # what the transforms and products of a pair of channels cost, in direct multiplications
MEMORY = 32 << 20  # bytes of transformed values that are aimed at
TILES = 96  # at a time, at most
GROUP = 384 << 10  # bytes of sums of a thread that are aimed at
OUTPUTS = 256  # whose weight's gradient one task makes


def fits(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> bool:
    """Is it a large kernel with stride 1 whose transforms cost less than they save?"""
    if (len(geometry.kernel) != 2 or not all(5 <= size <= 8 for size in geometry.kernel) or geometry.stride != (1, 1)
            or geometry.dilation != (1, 1) or geometry.group != 1 or min(x[1], out[1]) < CHANNELS):
        return False
    return x[0] * math.prod(out[2:]) * geometry.taps >= FIXED + PER_TILE * x[0] * math.prod(_tiles(out))


def _tiles(out: tuple[int, ...]) -> tuple[int, int]:
    """Tiles along height and width."""
    return -(-out[2] // 4), -(-out[3] // 4)


def _slots(kernel: tuple[int, ...]) -> tuple[int, int]:
    """Slots along both axes, see `large_kernels`."""
    down, across = (14 if size == 8 else 13 for size in kernel)
    return down, across


def _blocks(tiles: int, each: int) -> list[tuple[int, int]]:
    """Split tiles into blocks whose transformed values of `each` per tile keep to the limits: (start, stop)."""
    from .large_product import SIZES

    most = max(1, min(TILES, MEMORY // (4 * each)) // SIZES[0]) * SIZES[0]
    return [(start, min(start + most, tiles)) for start in range(0, tiles, most)]


def _room(tiles: int) -> int:
    """Places for tiles, so that products may run over the end."""
    from .large_product import SIZES

    return -(-tiles // SIZES[2]) * SIZES[2]


def _lines(tiles: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Scratch memory of a thread: a vector of channels for all pixels of a padded image, and for 49 points."""
    from .large_product import WIDTH

    return (threads.scratch("large lines", (math.prod(4 * count + 7 for count in tiles) * WIDTH,), np.float32),
            threads.scratch("large square", (49 * WIDTH,), np.float32))


def _images(x: np.ndarray, block: tuple[int, int], tiles: tuple[int, int], geometry: Geometry,
            wide: int) -> np.ndarray:
    """The transformed tiles of all channels, (channels / wide, *slots, room, wide)."""
    from . import large_kernels as kernels

    slots = _slots(geometry.kernel)
    start, stop = block
    data = threads.scratch("large data", (-(-x.shape[1] // wide), *slots, _room(stop - start), wide), np.float32)
    data[:, :, :, stop - start:] = 0

    def task(chunk: int) -> None:
        lines, square = _lines(tiles)
        kernels.of_image(chunk * wide, x, geometry.pad, tiles, start, stop, slots, data[chunk], lines, square)

    threads.each(task, len(data))
    return data


def _weights(kernel: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scratch memory of a thread: WIDTH times RIGHT transformed kernels, RIGHT others, and those half transformed."""
    from .large_product import RIGHT, WIDTH

    down, across = _slots(kernel)
    taps = threads.scratch("large taps", (64, RIGHT), np.float32)
    lines = threads.scratch("large rows", (down, 8, RIGHT), np.float32)
    taps[...], lines[...] = 0, 0
    return threads.scratch("large weight", (down * across, WIDTH * RIGHT + WIDTH), np.float32), taps, lines


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry) -> None:
    """Write the convolution."""
    from . import large_kernels as kernels
    from .large_product import RIGHT, WIDTH

    slots = _slots(geometry.kernel)
    channels, outputs, tiles = x.shape[1], out.shape[1], _tiles(out.shape)
    flat = weight.reshape(-1)
    biases = np.zeros(outputs, np.float32) if bias is None else bias
    for start, stop in _blocks(x.shape[0] * math.prod(tiles), math.prod(slots) * channels):
        data = _images(x, (start, stop), tiles, geometry, WIDTH)
        room = data.shape[3]
        each = max(1, GROUP // (4 * 49 * room * RIGHT)) * RIGHT
        each = min(each, max(RIGHT, -(-outputs // threads.count() // RIGHT) * RIGHT))

        def task(number: int, start: int = start, stop: int = stop, each: int = each, room: int = room,
                 data: np.ndarray = data) -> None:
            first, last = number * each, min(number * each + each, outputs)
            sums = threads.scratch("large sums", (-(-(last - first) // RIGHT), 49, room * RIGHT + WIDTH), np.float32)
            square = _lines(tiles)[1]
            kernels.convolve(data, channels, flat, outputs, first, last, geometry.kernel, slots,
                             *_weights(geometry.kernel), sums)
            for result, output in zip(sums, range(first, last, RIGHT), strict=True):
                kernels.to_output(result, output, biases, out, tiles, start, stop, square)

        threads.each(task, -(-outputs // each))


def _gradients(grad_out: np.ndarray, block: tuple[int, int], tiles: tuple[int, int]) -> np.ndarray:
    """The transformed tiles of all channels of a gradient, (channels / WIDTH, 49, room, WIDTH)."""
    from . import large_kernels as kernels
    from .large_product import WIDTH

    start, stop = block
    shape = -(-grad_out.shape[1] // WIDTH), 49, _room(stop - start), WIDTH
    data = threads.scratch("large gradient", shape, np.float32)
    data[:, :, stop - start:] = 0

    def task(chunk: int) -> None:
        lines, square = _lines(tiles)
        kernels.of_gradient(chunk * WIDTH, grad_out, tiles, start, stop, data[chunk], lines, square)

    threads.each(task, len(data))
    return data


def backward_data(grad_out: np.ndarray, weight: np.ndarray, grad_x: np.ndarray, geometry: Geometry) -> None:
    """Write the gradient of the input: all steps of the forward pass, transposed and in reverse order."""
    from . import large_kernels as kernels
    from .large_product import RIGHT, WIDTH

    slots, kernel = _slots(geometry.kernel), geometry.kernel
    channels, outputs, tiles = grad_x.shape[1], grad_out.shape[1], _tiles(grad_out.shape)
    flat = weight.reshape(-1)
    grad_x[...] = 0
    for start, stop in _blocks(grad_x.shape[0] * math.prod(tiles), 49 * outputs):
        data = _gradients(grad_out, (start, stop), tiles)

        def task(number: int, start: int = start, stop: int = stop, data: np.ndarray = data) -> None:
            first = number * RIGHT
            sums = threads.scratch("large sums", (math.prod(slots), data.shape[2] * RIGHT + WIDTH), np.float32)
            kernels.convolve_back(data, outputs, flat, channels, first, kernel, slots, *_weights(kernel), sums)
            for channel in range(first, min(first + RIGHT, channels), WIDTH):
                kernels.to_image(sums, channel, grad_x, geometry.pad, tiles, start, stop, slots, *_lines(tiles))

        threads.each(task, -(-channels // RIGHT))


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight: products of transformed images and gradients, summed over all tiles."""
    from . import large_kernels as kernels
    from .large_product import RIGHT, ROWS, WIDTH

    slots, kernel = _slots(geometry.kernel), geometry.kernel
    channels, outputs, tiles = x.shape[1], grad_out.shape[1], _tiles(grad_out.shape)
    flat, parts = grad_weight.reshape(-1), -(-outputs // OUTPUTS)
    for block in _blocks(x.shape[0] * math.prod(tiles), max(49 * outputs, math.prod(slots) * channels)):
        images, grads = _images(x, block, tiles, geometry, RIGHT), _gradients(grad_out, block, tiles)

        def task(number: int, block: tuple[int, int] = block, images: np.ndarray = images,
                 grads: np.ndarray = grads) -> None:
            chunk, part = divmod(number, parts)
            sums = threads.scratch("large sums", (math.prod(slots), ROWS * RIGHT + WIDTH), np.float32)
            turned = threads.scratch("large turned", (RIGHT * geometry.taps,), np.float32)
            _, taps, lines = _weights(kernel)
            first, last = part * OUTPUTS, min(part * OUTPUTS + OUTPUTS, outputs)
            kernels.sum_tiles(block[1] - block[0], grads, images[chunk], outputs, first, last, channels, chunk * RIGHT,
                              kernel, slots, sums, lines, taps, turned, flat)

        threads.each(task, len(images) * parts)
