"""Images to blobs and back, as OpenCV's dnn module does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .formats import images as codec

Image = npt.NDArray[Any]  # (height, width) or (height, width, 1, 3 or 4)
Mean = float | Sequence[float]


def blobFromImage(
    image: Image, scalefactor: float = 1.0, size: Sequence[int] = (0, 0), mean: Mean = (), swapRB: bool = False,
    crop: bool = False, ddepth: int = 5,
) -> npt.NDArray[Any]:
    """A blob (1, channels, height, width) of one image; see `blobFromImages`."""
    return blobFromImages([image], scalefactor, size, mean, swapRB, crop, ddepth)


def blobFromImages(
    images: Sequence[Image], scalefactor: float = 1.0, size: Sequence[int] = (0, 0), mean: Mean = (),
    swapRB: bool = False, crop: bool = False, ddepth: int = 5,
) -> npt.NDArray[Any]:
    """A blob (images, channels, height, width): (image - mean) * scalefactor, resized before.

    size    (width, height) of the blob; (0, 0) keeps that of the images
    mean    one value per channel, in the order of the blob's channels; 0 for channels that it leaves out
    swapRB  exchange the first and the third channel
    crop    keep the shape of the image and cut the middle out, instead of stretching
    ddepth  type of the blob: 5 float32, 0 uint8 (then without mean and scale)

    Raises ValueError for images of different sizes or with another number of axes or channels.
    """
    if ddepth not in (0, 5):
        raise ValueError(f"a blob holds float32 (5) or uint8 (0), got ddepth {ddepth}")
    if ddepth == 0 and ((np.size(mean) and np.any(mean)) or scalefactor != 1):
        raise ValueError("blobs of uint8 take no mean and no scale")
    planes = [_resized(_planes(image), int(size[1]), int(size[0]), crop) for image in images]
    if len({plane.shape for plane in planes}) != 1:
        raise ValueError(f"the images of a blob must have one size, got {sorted({p.shape for p in planes})}")
    blob = np.stack(planes)
    if swapRB and blob.shape[1] >= 3:
        blob = blob[:, [2, 1, 0, *range(3, blob.shape[1])]]
    if ddepth == 0:
        return np.ascontiguousarray(blob.astype(np.uint8))
    means = per_channel(mean, blob.shape[1])
    return np.ascontiguousarray((blob.astype(np.float32) - means) * np.float32(scalefactor))


def imagesFromBlob(blob: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], ...]:
    """The images (height, width, channels) of a blob; one channel gives (height, width)."""
    pictures = (np.ascontiguousarray(planes.transpose(1, 2, 0), np.float32) for planes in blob)
    return tuple(picture[:, :, 0] if picture.shape[2] == 1 else picture for picture in pictures)


def per_channel(values: Mean, channels: int) -> npt.NDArray[np.float32]:
    """One value for each channel (channels, 1, 1); missing ones are 0, so a single number is for the first channel."""
    given = np.asarray(values, np.float32).ravel()[:channels]
    full = np.zeros((channels, 1, 1), np.float32)
    full[:given.size, 0, 0] = given
    return full


def _planes(image: Image) -> npt.NDArray[Any]:
    """(channels, height, width)"""
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or 0 in array.shape:
        raise ValueError("an image has the shape (height, width) or (height, width, channels) with 1, 3 or 4 "
                         f"channels, got {np.shape(image)}")
    return array.transpose(2, 0, 1)


def _resized(planes: npt.NDArray[Any], height: int, width: int, crop: bool) -> npt.NDArray[Any]:
    if (height, width) == (0, 0):
        return planes
    if min(height, width) < 1:
        raise ValueError(f"a blob's size is (width, height), both from 1, got {(width, height)}")
    if not crop:
        return _bilinear(planes, height, width, (planes.shape[1] / height, planes.shape[2] / width))
    grow = float(np.float32(max(width / planes.shape[2], height / planes.shape[1])))
    planes = _bilinear(planes, round(planes.shape[1] * grow), round(planes.shape[2] * grow), (1 / grow, 1 / grow))
    top, left = (planes.shape[1] - height) // 2, (planes.shape[2] - width) // 2
    return planes[:, top:top + height, left:left + width]


def _bilinear(planes: npt.NDArray[Any], height: int, width: int, steps: tuple[float, float]) -> npt.NDArray[Any]:
    """Between the centres of pixels, `steps` old ones apart; no smoothing; uint8 in OpenCV's fixed-point arithmetic."""
    if planes.dtype == np.uint8:
        return codec.resize(planes, height, width, steps)
    values = planes.astype(np.float32)
    for axis, size, step in ((1, height, steps[0]), (2, width, steps[1])):
        place = np.clip((np.arange(size) + 0.5) * step - 0.5, 0, values.shape[axis] - 1)
        first = np.minimum(place.astype(int), max(values.shape[axis] - 2, 0))
        weight = (place - first).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        second = np.minimum(first + 1, values.shape[axis] - 1)
        values = values.take(first, axis) * (1 - weight) + values.take(second, axis) * weight
    return values
