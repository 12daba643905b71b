"""Numba kernels of the convolution with large kernels: tiles and kernels to numbers per point and back.

The transforms of `large_steps` have seven points for four outputs and four taps, and work along both axes in turn.

A kernel of 5 to 8 taps per axis is cut into 2 x 2 pieces of up to 4 x 4 taps. The tiles of an image that a piece needs
are those of the first one, moved by whole tiles, and what all pieces give for a tile is added up before the transform
back. Along one axis point i of piece p has slot 2 * i + p. If the second piece has fewer than four taps, its value at
infinity is 0 and has no slot. `slots` is the number of them along both axes, 14 or 13, and what belongs to one of
slots[0] * slots[1] pairs lies together.

Lanes of vectors are channels. Imported on first use, since numba takes its time.
"""

from __future__ import annotations

from ..jit import njit
from ..simd import WIDTH, load, store, transpose
from .large_product import RIGHT, ROWS, SIZES, first_product, prefetch, second_product, third_product, tile_sum
from .large_steps import accumulate, collect, evaluate, from_pixels, to_pixels

LINE = 7 * WIDTH
TAPS = 8 * RIGHT  # the distance of rows in scratch memory of taps


@njit(cache=True, nogil=True)
def stage(x, image, channel, channels, pad, rows, columns, lines):
    """Copy WIDTH channels of x (N, C, H, W), padded by `pad`, to lines (rows, columns, WIDTH); outside is 0."""
    height, width = x.shape[2:]
    for lane in range(WIDTH):
        for row in range(rows):
            y, target = row - pad[0], row * columns * WIDTH + lane
            for column in range(columns):
                z = column - pad[1]
                inside = lane < channels and 0 <= y < height and 0 <= z < width
                lines[target + column * WIDTH] = x[image, channel + lane, y, z] if inside else 0


@njit(cache=True, nogil=True)
def _rows(image, tiles, start, stop):
    """The first row of tiles of an image that has some of the tiles start ... stop, and the last + 1."""
    first = image * tiles[0]
    return max(0, start // tiles[1] - first), min(tiles[0], -(-stop // tiles[1]) - first)


@njit(cache=True, nogil=True)
def of_image(channel, x, pad, tiles, start, stop, slots, data, lines, square):
    """Transform channels of x (N, C, H, W) from `channel` on to data (slots[0], slots[1], room, channels).

    A place in data is a tile of the output, from `start` to `stop`; `tiles` is the number of them along both axes.
    Channels of data are whole vectors; those that x does not have are 0. Places that no tile has are left as they are.
    `lines` (room for a padded image, WIDTH) and `square` (49 * WIDTH) are scratch memory.
    """
    room, wide = data.shape[2:]
    columns = 4 * tiles[1] + 7
    for image in range(start // (tiles[0] * tiles[1]), -(-stop // (tiles[0] * tiles[1]))):
        top, bottom = _rows(image, tiles, start, stop)
        for part in range(0, wide, WIDTH):
            stage(x, image, channel + part, x.shape[1] - channel - part, (pad[0] - 4 * top, pad[1]),
                  4 * (bottom - top) + 7, columns, lines)
            for u in range(top, bottom + 1):
                for v in range(tiles[1] + 1):
                    for i in range(7):
                        at = ((4 * (u - top) + i) * columns + 4 * v) * WIDTH
                        from_pixels(lines, at, WIDTH, square, i * LINE, WIDTH, True)
                    for j in range(7):
                        from_pixels(square, j * WIDTH, LINE, square, j * WIDTH, LINE, True)
                    for p in range(max(0, u - tiles[0] + 1), min(u + 1, 2)):
                        for q in range(max(0, v - tiles[1] + 1), min(v + 1, 2)):
                            tile = (image * tiles[0] + u - p) * tiles[1] + v - q - start
                            if 0 <= tile < stop - start:
                                for i in range(7 if p == 0 else slots[0] - 7):
                                    for j in range(7 if q == 0 else slots[1] - 7):
                                        at = ((2 * i + p) * slots[1] + 2 * j + q) * room + tile
                                        store(data, at * wide + part, load(square, i * LINE + j * WIDTH))


@njit(cache=True, nogil=True)
def of_gradient(channel, grad, tiles, start, stop, data, lines, square):
    """As `of_image`, of tiles that do not overlap, to data (49, room, channels): there are no pieces."""
    room, wide = data.shape[1:]
    columns = 4 * tiles[1]
    for image in range(start // (tiles[0] * tiles[1]), -(-stop // (tiles[0] * tiles[1]))):
        top, bottom = _rows(image, tiles, start, stop)
        for part in range(0, wide, WIDTH):
            stage(grad, image, channel + part, grad.shape[1] - channel - part, (-4 * top, 0), 4 * (bottom - top),
                  columns, lines)
            for u in range(top, bottom):
                for v in range(tiles[1]):
                    tile = (image * tiles[0] + u) * tiles[1] + v - start
                    if 0 <= tile < stop - start:
                        for i in range(4):
                            at = ((4 * (u - top) + i) * columns + 4 * v) * WIDTH
                            evaluate(lines, at, WIDTH, square, i * LINE, WIDTH, True)
                        for j in range(7):
                            evaluate(square, j * WIDTH, LINE,
                                     data, (j * room + tile) * wide + part, 7 * room * wide, True)


@njit(cache=True, nogil=True)
def of_weight(weight, lane, lanes, lane_step, inner, count, inner_step, kernel, slots, result, taps, lines):
    """Transform `lanes` times `count` kernels of weight (flat) to result (slots[0] * slots[1], count * RIGHT or more).

    Lanes are up to RIGHT outputs or inputs from `lane` on, `lane_step` apart; those beyond are 0. `inner` is the first
    of the others. taps (64, RIGHT) and lines (slots[0], 8, RIGHT) are scratch memory, 0 where the kernel has no taps.
    """
    height, wide = kernel
    size, step = height * wide, result.shape[1]
    for k in range(count):
        place = lane * lane_step + (inner + k) * inner_step
        if lanes == RIGHT:
            for part in range(0, RIGHT, WIDTH):
                for at in range(0, size, WIDTH):
                    at = min(at, size - WIDTH)
                    transpose(weight, place + part * lane_step + at, lane_step, taps, at * RIGHT + part, RIGHT)
        else:
            for row in range(RIGHT):
                for tap in range(size):
                    taps[tap, row] = weight[place + row * lane_step + tap] if row < lanes else 0
        for p in range(2):
            for j in range(0, wide * RIGHT, WIDTH):
                evaluate(taps, 4 * p * wide * RIGHT + j, wide * RIGHT, lines, p * TAPS + j, 2 * TAPS, 12 + p < slots[0])
        for q in range(2):
            for i in range(slots[0]):
                for part in range(0, RIGHT, WIDTH):
                    evaluate(lines, i * TAPS + 4 * q * RIGHT + part, RIGHT,
                             result, (i * slots[1] + q) * step + k * RIGHT + part, 2 * step, 12 + q < slots[1])


@njit(cache=True, nogil=True)
def products(pieces, count, a, a0, a_steps, b, b0, b_steps, c, c0, rows, add):
    """A product (see `large_product`) of any number of rows; some more may be written, to a multiple of the least."""
    row = 0
    while row < rows:
        left, target = a0 + row * WIDTH, c0 + row * RIGHT
        if rows - row > SIZES[1]:
            first_product(pieces, count, a, left, a_steps, b, b0, b_steps, c, target, add)
            row += SIZES[0]
        elif rows - row > SIZES[2]:
            second_product(pieces, count, a, left, a_steps, b, b0, b_steps, c, target, add)
            row += SIZES[1]
        else:
            third_product(pieces, count, a, left, a_steps, b, b0, b_steps, c, target, add)
            row += SIZES[2]


@njit(cache=True, nogil=True)
def fetch(weight, start, rows, step, count, part):
    """Ask for one of 49 parts of `rows` times `count` values of weight, `step` apart, that will be read next."""
    for at in range(count * part // 49, count * (part + 1) // 49, 16):
        for row in range(rows):
            prefetch(weight, start + row * step + at)


@njit(cache=True, nogil=True)
def convolve(data, channels, weight, outputs, first, last, kernel, slots, transformed, taps, lines, sums):
    """Multiply data (channels / WIDTH, *slots, room, WIDTH) by the weight (flat) for the outputs first ... last.

    The products of all pieces and channels are added up in sums (outputs / RIGHT, 49, room * RIGHT or more).
    `transformed` (slots[0] * slots[1], WIDTH * RIGHT or more), taps and lines are scratch memory, see `of_weight`.
    """
    size = kernel[0] * kernel[1]
    room, step = data.shape[3], transformed.shape[1]
    pace = room * WIDTH
    for channel in range(0, channels, WIDTH):
        count = min(WIDTH, channels - channel)
        for output in range(first, last, RIGHT):
            of_weight(weight, output, min(RIGHT, outputs - output), channels * size, channel, count, size, kernel,
                      slots, transformed, taps, lines)
            following, place = (output + RIGHT, channel) if output + RIGHT < last else (first, channel + WIDTH)
            place = (following * channels + place) * size
            for point in range(49):
                fetch(weight, place, RIGHT, channels * size, WIDTH * size, point)
                i, j = divmod(point, 7)
                slot = 2 * (i * slots[1] + j)
                pieces = min(2, slots[0] - 2 * i), min(2, slots[1] - 2 * j)
                products(pieces, count,
                         data, (channel // WIDTH * slots[0] * slots[1] + slot) * pace, (slots[1] * pace, pace),
                         transformed, slot * step, (slots[1] * step, step),
                         sums, ((output - first) // RIGHT * 49 + point) * sums.shape[2], room, channel > 0)


@njit(cache=True, nogil=True)
def convolve_back(data, outputs, weight, channels, first, kernel, slots, transformed, taps, lines, sums):
    """Multiply data (outputs / WIDTH, 49, room, WIDTH) by the weight (flat) for RIGHT channels from `first` on.

    The products of all outputs are added up in sums (slots[0] * slots[1], room * RIGHT or more), the pieces apart.
    """
    size = kernel[0] * kernel[1]
    room, step = data.shape[2], transformed.shape[1]
    for output in range(0, outputs, WIDTH):
        count = min(WIDTH, outputs - output)
        of_weight(weight, first, min(RIGHT, channels - first), size, output, count, channels * size, kernel, slots,
                  transformed, taps, lines)
        for i in range(slots[0]):
            for j in range(slots[1]):
                point, slot = i // 2 * 7 + j // 2, i * slots[1] + j
                if i % 2 == j % 2 == 0:
                    fetch(weight, ((output + WIDTH) * channels + first) * size, WIDTH, channels * size, RIGHT * size,
                          point)
                products((1, 1), count, data, (output // WIDTH * 49 + point) * room * WIDTH, (0, 0),
                         transformed, slot * step, (0, 0), sums, slot * sums.shape[1], room, output > 0)


@njit(cache=True, nogil=True)
def to_image(sums, channel, grad_x, pad, tiles, start, stop, slots, lines, square):
    """Transform sums (see `convolve_back`) back and add them to WIDTH channels of grad_x (N, C, H, W).

    A place in sums is a tile of the output, from `start` to `stop`.
    """
    height, width = grad_x.shape[2:]
    columns, step = 4 * tiles[1] + 7, sums.shape[1]
    part = channel % RIGHT
    for image in range(start // (tiles[0] * tiles[1]), -(-stop // (tiles[0] * tiles[1]))):
        top, bottom = _rows(image, tiles, start, stop)
        shift, rows = pad[0] - 4 * top, 4 * (bottom - top) + 7
        for at in range(rows * columns * WIDTH):
            lines[at] = 0
        for u in range(top, bottom + 1):
            for v in range(tiles[1] + 1):
                for at in range(49 * WIDTH):
                    square[at] = 0
                for p in range(max(0, u - tiles[0] + 1), min(u + 1, 2)):
                    for q in range(max(0, v - tiles[1] + 1), min(v + 1, 2)):
                        tile = (image * tiles[0] + u - p) * tiles[1] + v - q - start
                        if 0 <= tile < stop - start:
                            for i in range(7 if p == 0 else slots[0] - 7):
                                for j in range(7 if q == 0 else slots[1] - 7):
                                    at = ((2 * i + p) * slots[1] + 2 * j + q) * step + tile * RIGHT + part
                                    to = i * LINE + j * WIDTH
                                    accumulate(square, to, sums, at)
                for j in range(7):
                    to_pixels(square, j * WIDTH, LINE, square, j * WIDTH, LINE, True)
                for i in range(7):
                    to_pixels(square, i * LINE, WIDTH, square, i * LINE, WIDTH, True)
                    for j in range(7):
                        at = ((4 * (u - top) + i) * columns + 4 * v + j) * WIDTH
                        accumulate(lines, at, square, i * LINE + j * WIDTH)
        for lane in range(min(WIDTH, grad_x.shape[1] - channel)):
            for y in range(max(0, -shift), min(height, rows - shift)):
                for z in range(max(0, -pad[1]), min(width, columns - pad[1])):
                    value = lines[((y + shift) * columns + z + pad[1]) * WIDTH + lane]
                    grad_x[image, channel + lane, y, z] += value


@njit(cache=True, nogil=True)
def to_weight(sums, start, kernel, slots, lines, taps, turned):
    """Transform sums (slots[0] * slots[1], ROWS * RIGHT or more) back to RIGHT kernels, turned (RIGHT, taps)."""
    size, step = kernel[0] * kernel[1], sums.shape[1]
    for part in range(0, RIGHT, WIDTH):
        for q in range(2):
            for i in range(slots[0]):
                collect(sums, (i * slots[1] + q) * step + start + part, 2 * step,
                        lines, i * TAPS + 4 * q * RIGHT + part, RIGHT, 12 + q < slots[1])
        for p in range(2):
            for j in range(kernel[1]):
                at = j * RIGHT + part
                collect(lines, p * TAPS + at, 2 * TAPS,
                        taps, 4 * p * kernel[1] * RIGHT + at, kernel[1] * RIGHT, 12 + p < slots[0])
        for at in range(0, size, WIDTH):
            at = min(at, size - WIDTH)
            transpose(taps, at * RIGHT + part, RIGHT, turned, part * size + at, size)


@njit(cache=True, nogil=True)
def sum_tiles(tiles, grads, images, outputs, first, last, channels, channel, kernel, slots, sums, lines, taps, turned,
              grad_weight):
    """Add the products of grads (outputs / WIDTH, 49, room, WIDTH) and images (*slots, room, RIGHT), summed over tiles.

    They go to grad_weight (flat) for the outputs first ... last and RIGHT channels from `channel` on.
    """
    size, room = kernel[0] * kernel[1], images.shape[2]
    count = min(RIGHT, channels - channel) * size
    for output in range(first, last, ROWS):
        for i in range(slots[0]):
            for j in range(slots[1]):
                point, slot = i // 2 * 7 + j // 2, i * slots[1] + j
                if i % 2 == j % 2 == 0:
                    fetch(grad_weight, ((output + ROWS) * channels + channel) * size, ROWS, channels * size, count,
                          point)
                tile_sum((1, 1), tiles, grads, (output // WIDTH * 49 + point) * room * WIDTH + output % WIDTH, (0, 0),
                         images, slot * room * RIGHT, (0, 0), sums, slot * sums.shape[1], False)
        for row in range(min(ROWS, outputs - output)):
            to_weight(sums, row * RIGHT, kernel, slots, lines, taps, turned)
            start = ((output + row) * channels + channel) * size
            for n in range(count):
                grad_weight[start + n] += turned[n]


@njit(cache=True, nogil=True)
def to_output(sums, output, bias, out, tiles, start, stop, square):
    """Transform sums back to the tiles start ... stop of out (N, O, H, W), RIGHT channels from `output` on."""
    outputs, height, width = out.shape[1:]
    step = sums.shape[1]
    for tile in range(start, stop):
        line, column = divmod(tile, tiles[1])
        image, row = divmod(line, tiles[0])
        for part in range(0, min(RIGHT, outputs - output), WIDTH):
            at = (tile - start) * RIGHT + part
            for i in range(7):
                collect(sums, at + 7 * i * step, step, square, i * WIDTH, LINE, True)
            for j in range(4):
                collect(square, j * LINE, WIDTH, square, j * LINE, WIDTH, True)
            for lane in range(min(WIDTH, outputs - output - part)):
                channel = output + part + lane
                for i in range(min(4, height - 4 * row)):
                    for j in range(min(4, width - 4 * column)):
                        value = square[j * LINE + i * WIDTH + lane]
                        out[image, channel, 4 * row + i, 4 * column + j] = value + bias[channel]
