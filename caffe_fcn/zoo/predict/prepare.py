"""From a picture to what an input blob takes, as the card says."""

from __future__ import annotations

import numpy as np

from ...errors import FormatError, NotSupportedError
from ...memory import check_room
from ...pycaffe.resize import resize_image
from ..card import Card, Input

CHANNELS = {"BGR": 3, "RGB": 3, "HHA": 3, "D": 1}
BYTES_TO_RESIZE = 80  # for each pixel, intermediate ones included


def check_input(card: Card, entry: Input) -> None:
    """Raise NotSupportedError, naming the key, for an input of a card that `prepare` cannot make."""
    where = f"{card.folder}: input '{entry.blob}'"
    if entry.channels not in CHANNELS:
        raise NotSupportedError(f"{where}: channels = {entry.channels!r} must be one of {', '.join(CHANNELS)}")
    if entry.shape[1] != CHANNELS[entry.channels]:
        raise NotSupportedError(f"{where}: shape has {entry.shape[1]} channels, {entry.channels!r} has "
                                f"{CHANNELS[entry.channels]}")
    if len(entry.range) != 2:
        raise NotSupportedError(f"{where}: range = {list(entry.range)} must be [lowest, highest]")
    if entry.crop and card.task_kind != "classification":
        raise NotSupportedError(f"{where}: crop is for classification; elsewhere every pixel is predicted")


def prepare(pixels: np.ndarray, entry: Input, scale: float = 1.0) -> np.ndarray:
    """A picture (H, W, C) as the input `entry` takes it: (1, C, h, w) float32.

    pixels  RGB or the channels of the file, 0 to 255 in uint8; one channel of a quantity in float32
    scale   factor on height and width before anything else

    In this order: resize (as `caffe.io.resize_image` does), crop, order of channels, range, logarithm, mean, scale.
    Raises FormatError for a picture smaller than the crop, BlobMemoryError for one too large.
    """
    height, width = pixels.shape[:2]
    values = _resized(pixels, tuple(max(1, round(scale * side)) for side in _size(height, width, entry)))
    values = _cropped(values, entry)
    if entry.channels == "BGR":
        values = values[:, :, ::-1]
    data = np.ascontiguousarray(values.transpose(2, 0, 1), np.float32)
    if pixels.dtype == np.uint8 and entry.range != (0.0, 255.0):
        low, high = entry.range
        data = data * np.float32((high - low) / 255) + np.float32(low)
    if entry.log:
        data = np.log(data)
    if entry.mean:
        data = data - np.asarray(entry.mean, np.float32)[:, None, None]
    if entry.scale != 1:
        data = data * np.float32(entry.scale)
    return data[None]


def _size(height: int, width: int, entry: Input) -> tuple[int, ...]:
    if entry.resize == "none":
        return height, width
    if entry.resize == "stretch":
        return entry.size
    factor = min(entry.size) / min(height, width)
    return round(factor * height), round(factor * width)


def _resized(pixels: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    if pixels.shape[:2] == size:
        return pixels
    most = max(pixels.shape[0] * pixels.shape[1], size[0] * size[1])
    check_room(BYTES_TO_RESIZE * most, f"resizing a photo of {pixels.shape[1]} x {pixels.shape[0]}")
    return resize_image(pixels, size)


def _cropped(values: np.ndarray, entry: Input) -> np.ndarray:
    if not entry.crop:
        return values
    (height, width), (high, wide) = values.shape[:2], entry.crop
    if height < high or width < wide:
        raise FormatError(f"a crop of {wide} x {high} does not fit a photo of {width} x {height}, as resized for "
                          f"input '{entry.blob}'")
    top, left = (height - high) // 2, (width - wide) // 2
    return values[top:top + high, left:left + wide]
