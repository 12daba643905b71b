"""Masks of objects from what annotations say: polygons and run lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np


def polygon_mask(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width) bool: pixels whose centre lies in a polygon, by the even-odd rule.

    points  (n, 2) x and y of its corners; the pixel in column i and row j is the square from (i, j) to (i + 1, j + 1)
    """
    toggles = np.zeros((height, width + 1), bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y1 < y0:
            x0, y0, x1, y1 = x1, y1, x0, y0
        first, last = (int(np.clip(np.ceil(y - 0.5), 0, height)) for y in (y0, y1))
        rows = np.arange(first, last)  # whose centres the edge crosses
        if rows.size:
            crossings = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
            toggles[rows, np.clip(np.ceil(crossings - 0.5), 0, width).astype(int)] ^= True
    return np.logical_xor.accumulate(toggles, axis=1)[:, :width]


def run_length_mask(counts: Sequence[int] | str, height: int, width: int) -> np.ndarray:
    """(height, width) bool of COCO's run lengths: of 0 and 1 in turn, columns first, as numbers or as its text.

    ValueError if they are damaged or do not fill the mask.
    """
    runs = list(_numbers(counts)) if isinstance(counts, str) else list(counts)
    if not all(isinstance(run, int) and run >= 0 for run in runs) or sum(runs) != height * width:
        raise ValueError(f"run lengths must be whole numbers whose sum is {height} x {width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _numbers(text: str) -> Iterator[int]:
    """Decode COCO's text: 5 bits in a character, the lowest first; from the third run on, differences to two before."""
    before = [0, 0]
    value = shift = index = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 50:
            raise ValueError("run lengths have a character that means nothing")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:  # more follow
            continue
        if bits & 16:  # negative
            value -= 1 << shift
        run = value + (before[index % 2] if index > 2 else 0)
        before[index % 2] = run
        yield run
        value = shift = 0
        index += 1
    if shift:
        raise ValueError("run lengths end within a number")
