"""Numba kernels of Winograd's convolution: tiles of the images to 36 numbers each and back, and the products between.

The one-dimensional transforms are those of Toom and Cook for the points 0, -A, A, -B, B and infinity. With
A = sqrt(1/2) and B = sqrt(2) rounding errors are a quarter of those for the usual points 1 and 2.

Tiles are numbered through all images, row by row. What belongs to a tile lies in one lane of a panel: `data` is
(36, panels, channels, RIGHT) with WIDTH values of slack behind each panel, since a vector may start at any lane and run
over the end of what it has to write; what it spoils is written afterwards. Imported on first use.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import njit
from ..simd import WIDTH, load, load4, shift, splat, store, store4, transpose
from ..tile_product import LEFT, RIGHT, ROWS, half_product, tile_product

A = math.sqrt(0.5)
B = math.sqrt(2.0)
THIRD = 1 / 3


@njit(nogil=True, inline="always")
def _of_image(d0, d1, d2, d3, d4, d5):
    """Six neighbouring values as values of a polynomial's transpose: B^T d."""
    even, odd = d4 - 2.0 * d2, A * (d3 - 2.0 * d1)
    even2, odd2 = d4 - 0.5 * d2, B * (d3 - 0.5 * d1)
    return d0 + d4 - 2.5 * d2, even + odd, even - odd, even2 + odd2, even2 - odd2, d1 + d5 - 2.5 * d3


@njit(nogil=True, inline="always")
def _of_gradient(y0, y1, y2, y3):
    """Four output gradients, A y."""
    even, odd = y0 + 0.5 * y2, A * (y1 + 0.5 * y3)
    even2, odd2 = y0 + 2.0 * y2, B * (y1 + 2.0 * y3)
    return y0, even + odd, even - odd, even2 + odd2, even2 - odd2, y3


@njit(nogil=True, inline="always")
def _to_output(m0, m1, m2, m3, m4, m5):
    """Four outputs, A^T m."""
    even, odd, even2, odd2 = m1 + m2, A * (m1 - m2), m3 + m4, B * (m3 - m4)
    return m0 + even + even2, odd + odd2, 0.5 * even + 2.0 * even2, 0.5 * odd + 2.0 * odd2 + m5


@njit(nogil=True, inline="always")
def _of_weight(g0, g1, g2):
    """Three taps, G g."""
    even, odd = (-2 * THIRD) * g0 - THIRD * g2, (-2 * THIRD * A) * g1
    even2, odd2 = (THIRD / 2) * g0 + THIRD * g2, (THIRD / 2 * B) * g1
    return g0, even + odd, even - odd, even2 + odd2, even2 - odd2, g2


@njit(nogil=True, inline="always")
def _to_weight(m0, m1, m2, m3, m4, m5):
    """Gradients of three taps, G^T m."""
    even, odd, even2, odd2 = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    return (m0 + (-2 * THIRD) * even + (THIRD / 2) * even2, (-2 * THIRD * A) * odd + (THIRD / 2 * B) * odd2,
            m5 + THIRD * (even2 - even))


@njit(nogil=True, inline="always")
def _store6(array, at, step, r):
    """Store six vectors, `step` apart."""
    store(array, at, r[0])
    store(array, at + step, r[1])
    store(array, at + 2 * step, r[2])
    store(array, at + 3 * step, r[3])
    store(array, at + 4 * step, r[4])
    store(array, at + 5 * step, r[5])


@njit(nogil=True, inline="always")
def _clear(array, start, stop):
    """Set start ... stop to 0, and up to WIDTH values more."""
    for at in range(start, stop, WIDTH):
        store(array, at, splat(0.0))


@njit(cache=True, nogil=True)
def stage(x, plane, top, left, rows, count, lines, pitch):
    """Copy `rows` rows of `count` values of x (planes, height, width) to lines; what lies outside is 0.

    Writes up to WIDTH values more behind each row.
    """
    height, width = x.shape[1:]
    low = min(max(-left, 0), count)
    high = max(min(width - left, count), low)
    for row in range(rows):
        y, target = top + row, row * pitch
        if y < 0 or y >= height:
            _clear(lines, target, target + count)
            continue
        source = (plane * height + y) * width + left
        _clear(lines, target, target + low)
        if source + high + WIDTH <= x.size:
            for at in range(low, high, WIDTH):
                store(lines, target + at, load(x, source + at))
        else:
            for at in range(low, high):
                lines[target + at] = x[plane, y, left + at]
        _clear(lines, target + high, target + count)


@njit(cache=True, nogil=True)
def to_panels(first, last, channels, x, rows, pad, tiles, start, stop, data, lines):
    """Transform the tiles start ... stop of the channels first ... last of x (N * channels, height, width) to data.

    With six `rows` tiles are of an image and overlap, with four they are of a gradient and do not. `pad` is that of
    the two axes, `tiles` the number of tiles along them, `lines` scratch memory. Channel `first` goes to the first
    place in data.
    """
    pitch = len(lines) // 6
    pace = (last - first) * RIGHT + WIDTH
    step = -(-(stop - start) // RIGHT) * pace
    for channel in range(first, last):
        tile = start
        while tile < stop:  # one row of tiles, or the part of it that is wanted
            line, column = divmod(tile, tiles[1])
            image, row = divmod(line, tiles[0])
            length = min(tiles[1] - column, stop - tile)
            count = 4 * length + rows - 4
            stage(x, image * channels + channel, 4 * row - pad[0], 4 * column - pad[1], rows, count, lines, pitch)
            for at in range(0, count, WIDTH):
                d0, d1, d2, d3 = (load(lines, at), load(lines, at + pitch), load(lines, at + 2 * pitch),
                                  load(lines, at + 3 * pitch))
                if rows == 6:
                    r = _of_image(d0, d1, d2, d3, load(lines, at + 4 * pitch), load(lines, at + 5 * pitch))
                else:
                    r = _of_gradient(d0, d1, d2, d3)
                _store6(lines, at, pitch, r)
            done = 0
            while done < length:
                panel, lane = divmod(tile - start + done, RIGHT)
                target = panel * pace + (channel - first) * RIGHT + lane
                for i in range(6):
                    at = i * pitch + 4 * done
                    d0, d1, d2, d3 = load4(lines, at)
                    if rows == 6:
                        after = at + 4 * WIDTH
                        r = _of_image(d0, d1, d2, d3, shift(d0, lines[after]), shift(d1, lines[after + 1]))
                    else:
                        r = _of_gradient(d0, d1, d2, d3)
                    _store6(data, target + 6 * i * step, step, r)
                done += WIDTH - lane % WIDTH
            tile += length


@njit(cache=True, nogil=True)
def products(start, stop, left, right, inner, outputs, result):
    """Multiply the 36 transformed weights `left` (see of_weight) by the data of the tiles start ... stop.

    Result is (36, panels of tiles, rows of left, RIGHT) with WIDTH values of slack behind each panel.
    """
    panels = -(-(stop - start) // RIGHT)
    rows = left.shape[0] * LEFT
    pace, result_pace = inner * RIGHT + WIDTH, rows * RIGHT + WIDTH
    for k in range(36):
        for row in range(0, outputs, ROWS):
            place = (row // LEFT * 36 + k) * (inner * LEFT + WIDTH) + row % LEFT
            for panel in range(panels):
                at = k * panels + panel
                target = at * result_pace + row * RIGHT
                if stop - start - panel * RIGHT > WIDTH:
                    tile_product(inner, left, place, right, at * pace, result, target, RIGHT, False)
                else:
                    half_product(inner, left, place, right, at * pace, result, target, RIGHT, False)


@njit(cache=True, nogil=True)
def from_panels(outputs, result, bias, out, tiles, start, stop, lines):
    """Transform products back to the tiles start ... stop of out (N * outputs, height, width), and add the bias."""
    height, width = out.shape[1:]
    pace = -(-outputs // LEFT) * LEFT * RIGHT + WIDTH
    step = -(-(stop - start) // RIGHT) * pace
    for output in range(outputs):
        offset = splat(bias[output])
        tile = start
        while tile < stop:
            line, column = divmod(tile, tiles[1])
            image, row = divmod(line, tiles[0])
            panel, lane = divmod(tile - start, RIGHT)
            valid = min(WIDTH - lane % WIDTH, tiles[1] - column, stop - tile)
            source = panel * pace + output * RIGHT + lane
            for j in range(6):
                at = source + j * step
                r = _to_output(load(result, at), load(result, at + 6 * step), load(result, at + 12 * step),
                               load(result, at + 18 * step), load(result, at + 24 * step), load(result, at + 30 * step))
                for_row = j * WIDTH
                store(lines, for_row, r[0])
                store(lines, for_row + 6 * WIDTH, r[1])
                store(lines, for_row + 12 * WIDTH, r[2])
                store(lines, for_row + 18 * WIDTH, r[3])
            plane = image * outputs + output
            count = min(4 * valid, width - 4 * column)
            for i in range(min(4, height - 4 * row)):
                at = 6 * i * WIDTH
                y0, y1, y2, y3 = _to_output(load(lines, at), load(lines, at + WIDTH), load(lines, at + 2 * WIDTH),
                                            load(lines, at + 3 * WIDTH), load(lines, at + 4 * WIDTH),
                                            load(lines, at + 5 * WIDTH))
                y0, y1, y2, y3 = y0 + offset, y1 + offset, y2 + offset, y3 + offset
                if count == 4 * WIDTH:
                    store4(out, (plane * height + 4 * row + i) * width + 4 * column, y0, y1, y2, y3)
                else:
                    store4(lines, 24 * WIDTH, y0, y1, y2, y3)
                    out[plane, 4 * row + i, 4 * column:4 * column + count] = lines[24 * WIDTH:24 * WIDTH + count]
            tile += valid


@njit(cache=True, nogil=True)
def of_weight(first, last, weight, flip, result):
    """Transform the kernels of weight (O, C, 3, 3) for the panels first ... last of result.

    Result is (panels, 36, inner * LEFT + WIDTH); the slack keeps the 36 from falling on the same places of the cache.
    Plain, the rows of the product are outputs and `inner` are the inputs; with `flip` it is the other way round and the
    kernels are turned by half a circle, as the gradient of the data wants them.
    """
    rows, inner = (weight.shape[1], weight.shape[0]) if flip else weight.shape[:2]
    step = inner * LEFT + WIDTH
    by_row, by_inner = (9, weight.shape[1] * 9) if flip else (weight.shape[1] * 9, 9)
    taps = np.zeros(max(9, WIDTH) * WIDTH, np.float32)
    lines = np.empty(18 * WIDTH, np.float32)
    flat = weight.reshape(-1)
    for panel in range(first, last):
        for part in range(0, LEFT, WIDTH):
            top = panel * LEFT + part
            for k in range(inner):
                place = top * by_row + k * by_inner
                if top + WIDTH <= rows and place + (WIDTH - 1) * by_row + max(9, WIDTH) <= flat.size:
                    for at in range(0, 9, WIDTH):
                        at = max(0, min(at, 9 - WIDTH))
                        transpose(flat, place + at, by_row, taps, at * WIDTH, WIDTH)
                else:
                    for row in range(WIDTH):
                        for tap in range(9):
                            inside = top + row < rows
                            taps[tap * WIDTH + row] = flat[place + row * by_row + tap] if inside else 0
                for j in range(3):
                    at = (8 - j if flip else j) * WIDTH
                    down = -3 * WIDTH if flip else 3 * WIDTH
                    _store6(lines, j * WIDTH, 3 * WIDTH,
                            _of_weight(load(taps, at), load(taps, at + down), load(taps, at + 2 * down)))
                for i in range(6):
                    at = 3 * i * WIDTH
                    r = _of_weight(load(lines, at), load(lines, at + WIDTH), load(lines, at + 2 * WIDTH))
                    _store6(result, (panel * 36 + 6 * i) * step + k * LEFT + part, step, r)


@njit(cache=True, nogil=True)
def to_weight(first, last, sums, grad_weight):
    """Transform sums (36, rows, columns) and add them to the kernels of the outputs first ... last (O, C, 3, 3)."""
    rows, columns = sums.shape[1:]
    step = rows * columns
    channels = grad_weight.shape[1]
    lines = np.empty(18 * WIDTH, np.float32)
    for output in range(first, last):
        for channel in range(0, channels, WIDTH):
            for j in range(6):
                at = (j * rows + output) * columns + channel
                r = _to_weight(load(sums, at), load(sums, at + 6 * step), load(sums, at + 12 * step),
                               load(sums, at + 18 * step), load(sums, at + 24 * step), load(sums, at + 30 * step))
                store(lines, j * WIDTH, r[0])
                store(lines, (6 + j) * WIDTH, r[1])
                store(lines, (12 + j) * WIDTH, r[2])
            for i in range(3):
                at = 6 * i * WIDTH
                r = _to_weight(load(lines, at), load(lines, at + WIDTH), load(lines, at + 2 * WIDTH),
                               load(lines, at + 3 * WIDTH), load(lines, at + 4 * WIDTH), load(lines, at + 5 * WIDTH))
                store(lines, at, r[0])
                store(lines, at + WIDTH, r[1])
                store(lines, at + 2 * WIDTH, r[2])
                for j in range(3):
                    for lane in range(min(WIDTH, channels - channel)):
                        grad_weight[output, channel + lane, i, j] += lines[at + j * WIDTH + lane]


@njit(cache=True, nogil=True)
def turn(channels, count, data, target, place, step, wide):
    """Copy data of `channels` channels and `count` tiles to a panel of an operand that is summed over tiles.

    The panel (count, wide) starts at target[place], those of the other 35 numbers `step` apart from it.
    """
    pace = channels * RIGHT + WIDTH
    panels = -(-count // RIGHT)
    for k in range(36):
        for tile in range(0, count, WIDTH):
            panel, lane = divmod(tile, RIGHT)
            for channel in range(0, wide, WIDTH):
                transpose(data, (k * panels + panel) * pace + channel * RIGHT + lane, RIGHT,
                          target, place + k * step + tile * wide + channel, wide)


@njit(cache=True, nogil=True)
def sum_products(k, count, left, right, sums, add):
    """Multiply left (36, rows, tiles, LEFT) by right (36, columns, tiles, RIGHT) for one of the 36, over `count` tiles.

    The products go to sums (36, rows * LEFT, columns * RIGHT), or with `add` are added to them.
    """
    rows, columns, room = left.shape[1], right.shape[1], left.shape[2]
    wide = columns * RIGHT
    for column in range(columns):
        for row in range(0, rows * LEFT, ROWS):
            tile_product(count, left, (k * rows + row // LEFT) * room * LEFT + row % LEFT,
                         right, (k * columns + column) * room * RIGHT,
                         sums, (k * rows * LEFT + row) * wide + column * RIGHT, wide, add)
