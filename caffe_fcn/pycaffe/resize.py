"""Resizing images as Caffe's Python tools do: scikit-image's way for 1 and 3 channels, a spline zoom for others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .signatures import bare_signatures

Order = Literal[0, 1, 2, 3, 4, 5]


def resize_image(im: npt.NDArray[Any], new_dims: Sequence[int] | npt.NDArray[Any], interp_order: Order = 1
                 ) -> npt.NDArray[np.float32]:
    """Resize an image (height, width, channels) to (new_dims[0], new_dims[1], channels), float32.

    interp_order  of the spline: 0 nearest, 1 bilinear, up to 5

    Images of 1 or 3 channels are smoothed by a Gaussian before they shrink, with zeros around them, and stay between
    their own extremes; the numbers are those of scikit-image 0.19 within 1e-6 of the range. Others are zoomed from
    corner to corner without smoothing. Raises ValueError for another number of axes or an empty size.
    """
    size = tuple(int(n) for n in new_dims)
    if im.ndim != 3 or min((*im.shape, *size)) < 1 or len(size) != 2:
        raise ValueError(f"resizing needs an image (height, width, channels) and a new (height, width), got the shape "
                         f"{im.shape} and {size}")
    if im.shape[-1] not in (1, 3):
        from scipy import ndimage

        return ndimage.zoom(im, (size[0] / im.shape[0], size[1] / im.shape[1], 1), order=interp_order
                            ).astype(np.float32)
    low, high = im.min(), im.max()
    if high == low:
        return np.full((*size, im.shape[-1]), low, np.float32)
    unit = (im - low) / (high - low)
    return (_resample(unit, size, interp_order) * (high - low) + low).astype(np.float32)


def _resample(unit: npt.NDArray[Any], size: tuple[int, int], order: Order) -> npt.NDArray[Any]:
    """Values between 0 and 1 at the centres of new pixels; zeros lie around the image."""
    from scipy import ndimage

    shrink = (unit.shape[0] / size[0], unit.shape[1] / size[1], 1.0)
    if max(shrink) > 1:
        unit = ndimage.gaussian_filter(unit, [max(0.0, (s - 1) / 2) for s in shrink], mode="grid-constant")
    zoomed = ndimage.zoom(unit, [1 / s for s in shrink], order=order, mode="grid-constant", grid_mode=True)
    return np.clip(zoomed, 0, 1)


bare_signatures(__name__)
