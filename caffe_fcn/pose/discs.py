"""What a net for poses learns: the pixels in a disc around each joint belong to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RADIUS = 0.1  # of a disc, in heights of the photo


def label_maps(joints: npt.ArrayLike, height: int, width: int, radius: float = RADIUS
               ) -> tuple[np.ndarray, np.ndarray]:
    """The label of each pixel (centres at whole numbers) of a photo.

    joints  (K, 3): x and y in pixels, and 1 if the joint is known, else 0
    radius  of the disc around a joint, in heights of the photo

    Returns maps, (K, height, width) bool: the pixel lies in the disc of the joint; and classes, (height, width) int64:
    k + 1 in the disc of joint k, of the nearest joint where discs overlap, 0 outside of all.
    Raises ValueError for joints of another shape and a radius that is not positive.
    """
    known = np.asarray(joints, np.float64)
    if known.ndim != 2 or known.shape[1:] != (3,) or not len(known):
        raise ValueError(f"joints are (K, 3): x, y and whether it is known; got the shape {known.shape}")
    if not radius > 0:
        raise ValueError(f"need radius > 0, got {radius}")
    rows, columns = np.arange(height)[:, None], np.arange(width)
    distance = np.stack([(columns - x) ** 2 + (rows - y) ** 2 if there else np.full((height, width), np.inf)
                         for x, y, there in known])
    maps = distance <= (radius * height) ** 2
    return maps, np.where(maps.any(axis=0), np.argmin(distance, axis=0) + 1, 0)
