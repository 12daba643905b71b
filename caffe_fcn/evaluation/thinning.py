"""Edges one pixel wide: thinning of edge maps, and suppression of what is no maximum across an edge."""

from __future__ import annotations

import functools

import numpy as np

RING = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))  # from the right, counterclockwise


def thin(edges: np.ndarray) -> np.ndarray:
    """Thin a map (height, width), bool, until nothing changes; pieces stay connected and holes stay holes.

    Guo and Hall, "Parallel thinning with two-subiteration algorithms", 1989, the first one; what lies outside the map
    is no edge.
    """
    thinned = edges.astype(bool)
    while True:
        before = thinned
        for removable in _tables():
            places = np.argwhere(thinned)
            padded = np.pad(thinned, 1)
            code = sum(padded[places[:, 0] + 1 + down, places[:, 1] + 1 + right].astype(np.uint8) << k
                       for k, (down, right) in enumerate(RING))
            gone = places[removable[code]]
            thinned = thinned.copy()
            thinned[gone[:, 0], gone[:, 1]] = False
        if (before == thinned).all():
            return thinned


@functools.cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """For both subiterations, (256,) bool: may a pixel go whose neighbours, in the order of RING, are these bits?"""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1 == 1
    x = [bits[:, k % 8] for k in range(9)]
    crossings = sum((~x[k] & (x[k + 1] | x[k + 2])).astype(int) for k in (0, 2, 4, 6))
    pairs = [sum((x[k] | x[k + 1]).astype(int) for k in range(start, 8, 2)) for start in (0, 1)]
    fewest = np.minimum(*pairs)
    simple = (crossings == 1) & (fewest >= 2) & (fewest <= 3)
    return (simple & ~((x[1] | x[2] | ~x[7]) & x[0]), simple & ~((x[5] | x[6] | ~x[3]) & x[4]))


def suppress(strength: np.ndarray, border: int = 5, slack: float = 1.01) -> np.ndarray:
    """Keep an edge's strength where it is a maximum across the edge, else 0: (height, width) float64.

    strength  (height, width); smoothed a little first
    border    the strength falls to 0 over so many pixels at each side of the map
    slack     a pixel may be weaker than its neighbours by this factor

    As edges are prepared for the benchmark by Dollar and Zitnick, "Fast edge detection using structured forests", 2015:
    the direction of the edge comes from second derivatives of the strength after smoothing over 9 pixels.
    """
    from scipy.ndimage import map_coordinates

    smooth = _smooth(strength.astype(np.float64), (1, 2, 1))
    angle = _normal(_smooth(strength.astype(np.float64), (1, 2, 3, 4, 5, 4, 3, 2, 1)))
    rows, columns = np.indices(smooth.shape)
    across = np.sin(angle), np.cos(angle)
    beside = [map_coordinates(smooth, [rows + side * across[0], columns + side * across[1]], order=1, mode="nearest")
              for side in (-1, 1)]
    kept = np.where(smooth * slack >= np.maximum(*beside), smooth, 0)
    fade = [np.minimum(1, np.minimum(np.arange(size), np.arange(size)[::-1]) / border) for size in kept.shape]
    return kept * fade[0][:, None] * fade[1]


def _smooth(values: np.ndarray, weights: tuple[int, ...]) -> np.ndarray:
    from scipy.ndimage import convolve1d

    kernel = np.array(weights, np.float64) / sum(weights)
    for axis in (0, 1):
        values = convolve1d(values, kernel, axis, mode="reflect")
    return values


def _normal(values: np.ndarray) -> np.ndarray:
    """Angle across the edge, from the x axis (to the right) towards the y axis (down), in [0, pi)."""
    down, right = np.gradient(values)
    down_right, right_right = np.gradient(right)
    down_down = np.gradient(down, axis=0)
    slant = np.where(down_right > 0, -1, 1)  # 1, not 0, for edges that run exactly along a row
    return np.arctan(down_down * slant / (right_right + 1e-5)) % np.pi
