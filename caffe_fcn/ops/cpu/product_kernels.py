"""Numba kernels of the product of two float32 matrices, for one thread. Imported on first use."""

from __future__ import annotations

from typing import Any

from .jit import njit
from .simd import WIDTH, load, store, transpose
from .tile_product import LEFT, RIGHT, ROWS, half_product, tile_product

DEPTH = 384  # of the sums that are made at a time: what a tile reads stays in the inner caches


@njit(cache=True, nogil=True)
def pack(lanes: int, count: int, wide: int, source: Any, start: int, lane_step: int, step: int, target: Any,
         place: int) -> None:
    """Copy a panel (count, wide) of an operand to target[place]; lanes beyond `lanes` are 0.

    Value k of lane i is source[start + i * lane_step + k * step]; one of the steps should be 1.
    """
    done = 0
    if lanes == wide and lane_step == 1:
        for k in range(count):
            for lane in range(0, wide, WIDTH):
                store(target, place + k * wide + lane, load(source, start + k * step + lane))
        done = count
    elif lanes == wide and step == 1:
        done = count - count % WIDTH
        for k in range(0, done, WIDTH):
            for lane in range(0, wide, WIDTH):
                transpose(source, start + lane * lane_step + k, lane_step, target, place + k * wide + lane, wide)
    for k in range(done, count):
        for lane in range(wide):
            target[place + k * wide + lane] = source[start + lane * lane_step + k * step] if lane < lanes else 0


@njit(cache=True, nogil=True)
def multiply(rows: int, columns: int, inner: int, a: Any, a_steps: Any, b: Any, b_steps: Any, out: Any, out_step: int,
             add: bool, left: Any, right: Any, corner: Any) -> None:
    """Write the product of a (rows, inner) and b (inner, columns) to out, or with `add` add it.

    All arrays are flat; the steps are those along both axes, for out along rows (its columns lie side by side). left
    (DEPTH * LEFT), right (DEPTH * columns, rounded up to RIGHT) and corner (ROWS * RIGHT) are scratch memory.
    """
    for first in range(0, inner, DEPTH):
        count, more = min(DEPTH, inner - first), add or first > 0
        for column in range(0, columns, RIGHT):
            pack(min(RIGHT, columns - column), count, RIGHT, b, first * b_steps[0] + column * b_steps[1], b_steps[1],
                 b_steps[0], right, column * count)
        for panel in range(0, rows, LEFT):
            pack(min(LEFT, rows - panel), count, LEFT, a, panel * a_steps[0] + first * a_steps[1], a_steps[0],
                 a_steps[1], left, 0)
            for row in range(panel, min(panel + LEFT, rows), ROWS):
                for column in range(0, columns, RIGHT):
                    place = row * out_step + column
                    if row + ROWS <= rows and column + RIGHT <= columns:
                        tile_product(count, left, row - panel, right, column * count, out, place, out_step, more)
                        continue
                    if row + ROWS <= rows and columns - column == WIDTH:
                        half_product(count, left, row - panel, right, column * count, out, place, out_step, more)
                        continue
                    if columns - column > WIDTH:
                        tile_product(count, left, row - panel, right, column * count, corner, 0, RIGHT, False)
                    else:
                        half_product(count, left, row - panel, right, column * count, corner, 0, RIGHT, False)
                    for i in range(min(ROWS, rows - row)):
                        for j in range(min(RIGHT, columns - column)):
                            value = corner[i * RIGHT + j]
                            out[place + i * out_step + j] = value + out[place + i * out_step + j] if more else value
