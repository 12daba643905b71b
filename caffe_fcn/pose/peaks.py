"""Heat maps to joints: the highest places of a map, not closer to each other than a distance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .discs import RADIUS

Region = tuple[np.ndarray, np.ndarray]  # rows and columns of connected pixels that have one value
LEAST = 0.1  # share of the highest score that a further mode needs


class Mode(NamedTuple):
    """A place where a joint may be: x and y in pixels (centres at whole numbers), and the value of the map there."""

    x: float
    y: float
    score: float


def best_joints(heat: npt.ArrayLike, refine: bool = False) -> np.ndarray:
    """The highest place of each map (K, H, W): (K, 3) float64 of x, y and score; `refine` and errors: `find_modes`."""
    return np.array([modes[0] for modes in find_modes(heat, 1, refine=refine)], np.float64)


def find_modes(heat: npt.ArrayLike, count: int = 3, distance: float | None = None, refine: bool = False,
               least: float = LEAST) -> list[list[Mode]]:
    """The highest local maxima of each map, the best first: one or more for each joint.

    heat      (K, H, W), such as probabilities; all finite
    count     at most so many for each joint
    distance  pixels that two modes of a joint are apart, at least; None: the radius of a disc, 0.1 x H
    refine    move each by less than a pixel, to the top of a parabola through it and its neighbours, in x and in y
    least     score that all but the best need, as a share of the best

    Where pixels of equal values touch, as in the labels themselves or where a sigmoid is 1, the place is the one
    closest to their centre; with `refine` it is that centre. Raises ValueError for another shape, an empty map, values
    that are not finite, and a count below 1.
    """
    maps = np.asarray(heat)
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(f"heat maps are (K, H, W), got the shape {maps.shape}")
    if not np.isfinite(maps).all():
        raise ValueError("heat maps must be finite")
    if count < 1:
        raise ValueError(f"need count >= 1, got {count}")
    apart = RADIUS * maps.shape[1] if distance is None else distance
    return [_modes(values, count, apart, refine, least) for values in maps]


def _modes(values: np.ndarray, count: int, apart: float, refine: bool, least: float) -> list[Mode]:
    """Those of one map (H, W)."""
    found: list[Mode] = []
    for rows, columns in _maxima(values):
        score = values[rows[0], columns[0]]
        if len(found) == count or (found and not score >= least * found[0].score):
            break
        mode = _place(values, (rows, columns), refine)
        if all((mode.x - other.x) ** 2 + (mode.y - other.y) ** 2 >= apart * apart for other in found):
            found.append(mode)
    return found


def _maxima(values: np.ndarray) -> list[Region]:
    """Regions of pixels that no neighbour exceeds, the highest first, of equal ones the upper or left one first."""
    from scipy import ndimage

    tops = values == ndimage.maximum_filter(values, 3, mode="nearest")
    labels, _ = ndimage.label(tops, np.ones((3, 3)))  # touching maxima are of one value: each is the other's neighbour
    regions = []
    for i, window in enumerate(ndimage.find_objects(labels), 1):
        rows, columns = np.nonzero(labels[window] == i)
        regions.append((rows + window[0].start, columns + window[1].start))
    return sorted(regions, key=lambda region: -float(values[region[0][0], region[1][0]]))


def _place(values: np.ndarray, region: Region, refine: bool) -> Mode:
    rows, columns = region
    y, x = rows.mean(), columns.mean()
    nearest = np.argmin((rows - y) ** 2 + (columns - x) ** 2)
    row, column = int(rows[nearest]), int(columns[nearest])
    score = float(values[row, column])
    if not refine:
        return Mode(column, row, score)
    if len(rows) > 1:
        return Mode(float(x), float(y), score)
    return Mode(column + _offset(values[row], column), row + _offset(values[:, column], row), score)


def _offset(line: np.ndarray, i: int) -> float:
    """From a maximum of a line to the top of the parabola through it and its neighbours, at most half a step."""
    if not 0 < i < len(line) - 1:
        return 0.0
    before, here, after = map(float, line[i - 1:i + 2])
    bend = before - 2 * here + after
    return (before - after) / (2 * bend) if bend else 0.0
