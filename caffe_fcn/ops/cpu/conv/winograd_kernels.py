"""Numba kernels of Winograd's convolution: tiles of the images to numbers each and back, and the products between.

A tile is of `size` by `size` outputs, 4 or 6; it becomes (size + 2)^2 numbers, `points` squared. winograd_steps.py has
the transforms.

Tiles are numbered through all images, row by row. What belongs to a tile lies in one lane of a panel: `data` is
(points^2, panels, groups, DEPTH channels, RIGHT) with WIDTH values of slack behind each group, since a vector may start
at any lane and run over the end of what it has to write; what it spoils is written afterwards. Imported on first use.
"""

from __future__ import annotations

import numpy as np

from ..jit import njit
from ..simd import WIDTH, load, splat, store, transpose
from ..tile_product import LEFT, RIGHT, ROWS, half_product_ahead, tile_product, tile_product_ahead
from .winograd_steps import (
    gradient4_columns,
    gradient4_rows,
    gradient6_columns,
    gradient6_rows,
    image4_columns,
    image4_rows,
    image6_columns,
    image6_rows,
    output4_columns,
    output4_rows,
    output6_columns,
    output6_rows,
    taps4_columns,
    taps6_columns,
    weight4_columns,
    weight6_columns,
)

DEPTH = 32  # channels of a group: sums are made of so many products at a time, so that rounding errors hardly grow
GROUP = DEPTH * RIGHT + WIDTH  # values of a group in a panel
CHUNK = 4  # panels of the left operand that are multiplied with all of the right one before the next ones


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
def columns_to_lines(x, plane, top, left, rows, size, count, lines, pitch):
    """Transform `count` columns of `rows` values of x (planes, height, width) to lines; what lies outside is 0."""
    height, width = x.shape[1:]
    low = min(max(-left, 0), count)
    high = max(min(width - left, count), low)
    source = (plane * height + top) * width + left
    last = source + (rows - 1) * width + low + -(-(high - low) // WIDTH) * WIDTH
    if top >= 0 and top + rows <= height and last <= x.size:  # straight from the image
        for row in range(size + 2):
            _clear(lines, row * pitch, row * pitch + low)
        for at in range(low, high, WIDTH):
            if rows == 8:
                image6_columns(x, source + at, width, lines, at, pitch)
            elif rows == 4:
                gradient4_columns(x, source + at, width, lines, at, pitch)
            elif size == 4:
                image4_columns(x, source + at, width, lines, at, pitch)
            else:
                gradient6_columns(x, source + at, width, lines, at, pitch)
        for row in range(size + 2):
            _clear(lines, row * pitch + high, row * pitch + count)
        return
    stage(x, plane, top, left, rows, count, lines, pitch)
    for at in range(0, count, WIDTH):
        if rows == 8:
            image6_columns(lines, at, pitch, lines, at, pitch)
        elif rows == 4:
            gradient4_columns(lines, at, pitch, lines, at, pitch)
        elif size == 4:
            image4_columns(lines, at, pitch, lines, at, pitch)
        else:
            gradient6_columns(lines, at, pitch, lines, at, pitch)


@njit(cache=True, nogil=True)
def to_panels(first, last, low, high, channels, x, size, rows, pad, tiles, start, stop, data, lines):
    """Transform the tiles start ... stop of the channels first ... last of x (N * channels, height, width) to data.

    With size + 2 `rows` tiles are of an image and overlap, with `size` they are of a gradient and do not. `pad` is that
    of the two axes, `tiles` the number of tiles along them, `lines` scratch memory. Data has room for the channels
    low ... high; `first` begins a group of it.
    """
    points = size + 2
    pitch = len(lines) // points
    pace = -(-(high - low) // DEPTH) * GROUP
    step = -(-(stop - start) // RIGHT) * pace
    for channel in range(first, last):
        tile = start
        while tile < stop:  # one row of tiles, or the part of it that is wanted
            line, column = divmod(tile, tiles[1])
            image, row = divmod(line, tiles[0])
            length = min(tiles[1] - column, stop - tile)
            columns_to_lines(x, image * channels + channel, size * row - pad[0], size * column - pad[1], rows, size,
                             size * length + rows - size, lines, pitch)
            done = 0
            while done < length:
                panel, lane = divmod(tile - start + done, RIGHT)
                target = panel * pace + (channel - low) // DEPTH * GROUP + (channel - low) % DEPTH * RIGHT + lane
                for i in range(points):
                    at, place = i * pitch + size * done, target + i * points * step
                    if rows == 8:
                        image6_rows(lines, at, data, place, step)
                    elif rows == 4:
                        gradient4_rows(lines, at, data, place, step)
                    elif size == 4:
                        image4_rows(lines, at, data, place, step)
                    else:
                        gradient6_rows(lines, at, data, place, step)
                done += WIDTH - lane % WIDTH
            tile += length


@njit(cache=True, nogil=True)
def products(start, stop, low, high, left, right, inner, result):
    """Multiply the panels low ... high of the transformed weights `left` (see of_weight) by the data of the tiles.

    Result is (points^2, panels of tiles, rows of left, RIGHT) with WIDTH values of slack behind each panel.
    """
    panels = -(-(stop - start) // RIGHT)
    left_pace, left_step = inner * LEFT + WIDTH, left.shape[1]
    pace, result_pace = -(-inner // DEPTH) * GROUP, (high - low) * LEFT * RIGHT + WIDTH
    speed = max(1, ROWS // panels)  # so that all of the next chunk has come when this one is done
    for k in range(left.shape[0]):
        for top in range(low, high, CHUNK):
            end = min(top + CHUNK, high)
            ahead = (k + 1) * left_step + low * left_pace if end == high else k * left_step + end * left_pace
            for panel in range(panels):
                at = k * panels + panel
                half = stop - start - panel * RIGHT <= WIDTH
                for first in range(0, inner, DEPTH):
                    count, more = min(DEPTH, inner - first), first > 0
                    source = at * pace + first // DEPTH * GROUP
                    for row in range(top * LEFT, end * LEFT, ROWS):
                        place = k * left_step + row // LEFT * left_pace + first * LEFT + row % LEFT
                        target = at * result_pace + (row - low * LEFT) * RIGHT
                        if half:
                            half_product_ahead(count, left, place, right, source, result, target, RIGHT, more, ahead,
                                               speed)
                        else:
                            tile_product_ahead(count, left, place, right, source, result, target, RIGHT, more, ahead,
                                               speed)
                        ahead += count * speed


@njit(nogil=True, inline="always")
def _copy(source, at, target, place, count):
    """Copy `count` values, and none behind them."""
    if count < WIDTH:
        for n in range(count):
            target[place + n] = source[at + n]
        return
    for n in range(0, count - WIDTH, WIDTH):
        store(target, place + n, load(source, at + n))
    store(target, place + count - WIDTH, load(source, at + count - WIDTH))


@njit(cache=True, nogil=True)
def from_panels(first, last, outputs, result, bias, relu, out, size, tiles, start, stop, lines):
    """Transform products back to the tiles start ... stop of out (N * outputs, height, width), and add the bias.

    The rows of result are the outputs first ... last. `relu` then sets what is negative to 0.
    """
    points = size + 2
    height, width = out.shape[1:]
    flat = out.reshape(-1)
    pace = -(-(last - first) // LEFT) * LEFT * RIGHT + WIDTH
    step = -(-(stop - start) // RIGHT) * pace
    for output in range(first, last):
        tile = start
        while tile < stop:
            line, column = divmod(tile, tiles[1])
            image, row = divmod(line, tiles[0])
            panel, lane = divmod(tile - start, RIGHT)
            valid = min(WIDTH - lane % WIDTH, tiles[1] - column, stop - tile)
            source = panel * pace + (output - first) * RIGHT + lane
            for j in range(points):
                if size == 6:
                    output6_columns(result, source + j * step, points * step, lines, j * WIDTH, points * WIDTH)
                else:
                    output4_columns(result, source + j * step, points * step, lines, j * WIDTH, points * WIDTH)
            place = ((image * outputs + output) * height + size * row) * width + size * column
            count = min(size * valid, width - size * column)
            whole, spare = count == size * WIDTH, size * points * WIDTH
            for i in range(min(size, height - size * row)):
                at = i * points * WIDTH
                if size == 6 and whole:
                    output6_rows(lines, at, bias[output], relu, flat, place)
                elif size == 6:
                    output6_rows(lines, at, bias[output], relu, lines, spare)
                elif whole:
                    output4_rows(lines, at, bias[output], relu, flat, place)
                else:
                    output4_rows(lines, at, bias[output], relu, lines, spare)
                if not whole:
                    _copy(lines, spare, flat, place, count)
                place += width
            tile += valid


@njit(cache=True, nogil=True)
def of_weight(first, last, low, weight, flip, size, result):
    """Transform the kernels of weight (O, C, 3, 3) for the panels first ... last of result, whose first one is `low`.

    Result is (points^2, panels * (inner * LEFT + WIDTH) + WIDTH); the slack keeps what is written in turn from falling
    on the same places of the cache. Plain, the rows of the product are outputs and `inner` are the inputs; with `flip`
    it is the other way round and the kernels are turned by half a circle, as the gradient of the data wants them.
    """
    rows, inner = (weight.shape[1], weight.shape[0]) if flip else weight.shape[:2]
    points, pace, step = size + 2, inner * LEFT + WIDTH, result.shape[1]
    by_row, by_inner = (9, weight.shape[1] * 9) if flip else (weight.shape[1] * 9, 9)
    taps = np.zeros(max(9, WIDTH) * WIDTH, np.float32)
    lines = np.empty(3 * points * WIDTH, np.float32)
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
                    if size == 6:
                        weight6_columns(taps, at, down, lines, j * WIDTH, 3 * WIDTH)
                    else:
                        weight4_columns(taps, at, down, lines, j * WIDTH, 3 * WIDTH)
                for i in range(points):
                    at, target = 3 * i * WIDTH, i * points * step + (panel - low) * pace + k * LEFT + part
                    if size == 6:
                        weight6_columns(lines, at, WIDTH, result, target, step)
                    else:
                        weight4_columns(lines, at, WIDTH, result, target, step)


@njit(cache=True, nogil=True)
def by_tiles(first, last, edges, x, pad, left, inner, bias, relu, out, outputs, size, tiles, data, result, lines):
    """The convolution for the blocks first ... last of tiles, number n from edges[n] to edges[n + 1].

    `left` is the whole transformed weight.
    """
    parts = -(-outputs // LEFT)
    for n in range(first, last):
        start, stop = edges[n], edges[n + 1]
        to_panels(0, inner, 0, inner, inner, x, size, size + 2, pad, tiles, start, stop, data, lines)
        products(start, stop, 0, parts, left, data, inner, result)
        from_panels(0, outputs, outputs, result, bias, relu, out, size, tiles, start, stop, lines)


@njit(cache=True, nogil=True)
def by_outputs(first, last, weight, flip, data, inner, bias, relu, out, outputs, size, tiles, total, left, result,
               lines):
    """The convolution for the panels first ... last of the weight, for which `left` has room; `data` is all tiles."""
    of_weight(first, last, first, weight, flip, size, left)
    products(0, total, 0, last - first, left, data, inner, result)
    low, high = first * LEFT, min(last * LEFT, outputs)
    from_panels(low, high, outputs, result, bias, relu, out, size, tiles, 0, total, lines)


@njit(cache=True, nogil=True)
def to_weight(first, last, size, sums, grad_weight):
    """Add sums (points^2, rows, columns), transformed, to the kernels of the outputs first ... last of (O, C, 3, 3)."""
    rows, columns = sums.shape[1:]
    points, step = size + 2, rows * columns
    channels = grad_weight.shape[1]
    lines = np.empty(3 * points * WIDTH, np.float32)
    for output in range(first, last):
        for channel in range(0, channels, WIDTH):
            for j in range(points):
                at = (j * rows + output) * columns + channel
                if size == 6:
                    taps6_columns(sums, at, 8 * step, lines, j * WIDTH, 8 * WIDTH)
                else:
                    taps4_columns(sums, at, 6 * step, lines, j * WIDTH, 6 * WIDTH)
            for i in range(3):
                at = points * i * WIDTH
                if size == 6:
                    taps6_columns(lines, at, WIDTH, lines, at, WIDTH)
                else:
                    taps4_columns(lines, at, WIDTH, lines, at, WIDTH)
                for j in range(3):
                    for lane in range(min(WIDTH, channels - channel)):
                        grad_weight[output, channel + lane, i, j] += lines[at + j * WIDTH + lane]


@njit(cache=True, nogil=True)
def turn(numbers, count, data, target, place, step, wide):
    """Copy data of one group of channels and `count` tiles to a panel of an operand that is summed over tiles.

    The panel (count, wide) of the first of `numbers` starts at target[place], those of the others `step` apart from it.
    """
    panels = -(-count // RIGHT)
    for k in range(numbers):
        for tile in range(0, count, WIDTH):
            panel, lane = divmod(tile, RIGHT)
            for channel in range(0, wide, WIDTH):
                transpose(data, (k * panels + panel) * GROUP + channel * RIGHT + lane, RIGHT,
                          target, place + k * step + tile * wide + channel, wide)


@njit(cache=True, nogil=True)
def sum_products(k, count, left, right, sums, add):
    """Multiply left (points^2, rows, tiles, LEFT) by right (points^2, columns, tiles, RIGHT) for one of the numbers.

    The products over `count` tiles go to sums (points^2, rows * LEFT, columns * RIGHT), or with `add` are added to
    them.
    """
    rows, columns, room = left.shape[1], right.shape[1], left.shape[2]
    wide = columns * RIGHT
    for column in range(columns):
        for row in range(0, rows * LEFT, ROWS):
            tile_product(count, left, (k * rows + row // LEFT) * room * LEFT + row % LEFT,
                         right, (k * columns + column) * room * RIGHT,
                         sums, (k * rows * LEFT + row) * wide + column * RIGHT, wide, add)
