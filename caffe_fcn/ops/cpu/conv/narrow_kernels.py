"""Numba kernels for few input channels. Imported on first use."""

from __future__ import annotations

from ..jit import njit
from ..simd import WIDTH, load, store, transpose
from ..tile_product import LEFT, RIGHT, ROWS, tile_product
from .narrow import COLUMN
from .winograd_kernels import stage

PANELS = COLUMN // RIGHT
SOME = 128  # pixels that are summed at a time: their columns and gradients stay in the cache of the first level
PITCH = SOME + WIDTH
LINES = COLUMN * PITCH + WIDTH  # values that the columns of so many pixels take
REACH = SOME + COLUMN + WIDTH  # pitch of the rows that so many windows and a panel reach over
WINDOWS = SOME * (COLUMN + 1) + WIDTH  # values of the columns, with a 1 for the bias, of so many pixels


@njit(cache=True, nogil=True)
def _columns(x, plane, channels, y, column, count, kernel, lines, right):
    """Write the columns of `count` pixels to right (PANELS, SOME, RIGHT); (y, column) is the first tap of the first."""
    tap = 0
    for channel in range(channels):
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                stage(x, plane + channel, y + i, column + j, 1, count, lines[tap * PITCH:], PITCH)
                tap += 1
    for panel in range(PANELS):
        for pixel in range(0, count, WIDTH):
            for part in range(0, RIGHT, WIDTH):
                transpose(lines, (panel * RIGHT + part) * PITCH + pixel, PITCH,
                          right, (panel * SOME + pixel) * RIGHT + part, RIGHT)


@njit(cache=True, nogil=True)
def _gradients(flat, start, step, rows, count, left):
    """Write `rows` gradients of `count` pixels, `step` apart from flat[start], to left (count, LEFT), 0 behind them."""
    for part in range(0, LEFT, WIDTH):
        place = start + part * step
        if rows >= part + WIDTH and place + (WIDTH - 1) * step + count + WIDTH <= flat.size:
            for pixel in range(0, count, WIDTH):
                transpose(flat, place + pixel, step, left, pixel * LEFT + part, LEFT)
        else:
            for row in range(part, part + WIDTH):
                for pixel in range(count):
                    left[pixel * LEFT + row] = flat[start + row * step + pixel] if row < rows else 0


@njit(cache=True, nogil=True)
def sum_lines(first, last, x, grad, outputs, kernel, pad, lines, left, right, sums):
    """Add the products of gradients and columns over the rows of pixels first ... last to sums (outputs, COLUMN).

    x is (N * channels, height, width), grad (N * outputs, out height, out width); their rows are counted through all
    images. `lines`, `left` and `right` are scratch memory, and `lines` begins as zeros.
    """
    height, width = grad.shape[1:]
    channels = x.shape[0] * outputs // grad.shape[0]
    flat, target, step = grad.reshape(-1), sums.reshape(-1), height * width
    for line in range(first, last):
        image, y = divmod(line, height)
        for column in range(0, width, SOME):
            count = min(SOME, width - column)
            _columns(x, image * channels, channels, y - pad[0], column - pad[1], count, kernel, lines, right)
            for row in range(0, outputs, LEFT):
                start = ((image * outputs + row) * height + y) * width + column
                _gradients(flat, start, step, outputs - row, count, left)
                for panel in range(PANELS):
                    for part in range(0, LEFT, ROWS):
                        tile_product(count, left, part, right, panel * SOME * RIGHT,
                                     target, (row + part) * COLUMN + panel * RIGHT, COLUMN, True)


@njit(cache=True, nogil=True)
def _windows(x, plane, channels, y, column, count, kernel, lines, right):
    """Write the columns of `count` pixels and a 1 below each to panels (taps + 1, RIGHT) of right, one by one."""
    depth = channels * kernel[0] * kernel[1] + 1
    for row in range(channels * kernel[0]):
        channel, i = divmod(row, kernel[0])
        stage(x, plane + channel, y + i, column, 1, count + kernel[1] - 1, lines[row * REACH:], REACH)
    for first in range(0, count, RIGHT):
        place = first * depth
        for row in range(channels * kernel[0]):
            for j in range(kernel[1]):
                for lane in range(0, RIGHT, WIDTH):
                    store(right, place + lane, load(lines, row * REACH + first + j + lane))
                place += RIGHT
        for lane in range(RIGHT):
            right[place + lane] = 1


@njit(cache=True, nogil=True)
def _rectify(values):
    """Put 0 for what is negative."""
    for i in range(len(values)):
        if values[i] < 0:
            values[i] = 0


@njit(cache=True, nogil=True)
def write_lines(first, last, x, left, outputs, kernel, pad, relu, out, lines, right, corner):
    """Write the rows of pixels first ... last of the convolution to out (N * outputs, height, width).

    x is (N * channels, height, width); the rows of out are counted through all images. left (panels, taps + 1, LEFT)
    is the weight and below it the bias. `lines`, `right` and `corner` are scratch memory.
    """
    height, width = out.shape[1:]
    channels = x.shape[0] * outputs // out.shape[0]
    depth = channels * kernel[0] * kernel[1] + 1
    flat, step = out.reshape(-1), height * width
    for line in range(first, last):
        image, y = divmod(line, height)
        for column in range(0, width, SOME):
            count = min(SOME, width - column)
            _windows(x, image * channels, channels, y - pad[0], column - pad[1], count, kernel, lines, right)
            for row in range(0, outputs, ROWS):
                start = ((image * outputs + row) * height + y) * width + column
                place, rows = row // LEFT * LEFT * depth + row % LEFT, min(ROWS, outputs - row)
                for panel in range(0, count, RIGHT):
                    if rows == ROWS and count - panel >= RIGHT:
                        tile_product(depth, left, place, right, panel * depth, flat, start + panel, step, False)
                    else:
                        tile_product(depth, left, place, right, panel * depth, corner, 0, RIGHT, False)
                        for i in range(rows):
                            for j in range(min(RIGHT, count - panel)):
                                flat[start + i * step + panel + j] = corner[i * RIGHT + j]
                if relu:
                    for i in range(rows):
                        _rectify(flat[start + i * step:start + i * step + count])
