"""Weights that keep channels apart though they are not in groups, as those of bilinear upsampling of scores."""

from __future__ import annotations

import numpy as np

from ...reference.convolution import Geometry


def reduce(values: np.ndarray, weight: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, Geometry]:
    """The weight and the geometry with a group per channel if that gives the same results, else as they are.

    weight (C, C, *kernel), values what it is to be multiplied by, which have to be finite: 0 times infinity is NaN.
    """
    channels = weight.shape[0]
    if geometry.plain or geometry.group != 1 or max(geometry.stride, default=1) < 2:
        return weight, geometry
    if not 1 < channels == weight.shape[1] or weight[0, 1].any() or not np.isfinite(values).all():
        return weight, geometry
    index = np.arange(channels)
    if (weight.reshape(channels, channels, -1).any(axis=2) & (index[:, None] != index)).any():
        return weight, geometry
    return np.ascontiguousarray(weight[index, index][:, None]), geometry._replace(group=channels)
