"""Photos of any kind as RGB, upright; and pictures of depth."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import numpy as np

from ...datasets.files import open_picture, read_depth
from ...errors import FormatError
from ...memory import check_room

BYTES = 40  # for each pixel from the file to the input of the net
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def read_photo(path: str | os.PathLike[str]) -> np.ndarray:
    """The photo in a file: (H, W, 3) uint8, RGB, turned as its orientation tag says.

    Grey gives three equal channels; of 16 bits a channel the upper eight count; alpha is dropped. Raises
    MissingFileError, FileAccessError; FormatError for what is no picture, damaged or cut off, or holds floating point
    values; BlobMemoryError for more pixels than there is memory.
    """
    image = _opened(path)
    check_room(BYTES * image.width * image.height, f"a photo of {image.width} x {image.height}")
    if image.mode == "F":
        raise FormatError(f"image '{os.fspath(path)}' holds floating point values; convert it to 8 bits a channel")
    image = _upright(image)
    if image.mode in DEEP:
        grey = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    try:
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")  # otherwise Pillow warns
        return np.asarray(image.convert("RGB"))
    except (ValueError, OSError) as error:
        raise FormatError(f"image '{os.fspath(path)}': the colours of mode {image.mode} cannot be read: {error}"
                          ) from error


def read_quantity(path: str | os.PathLike[str], low: float) -> np.ndarray:
    """A picture of one value a pixel: (H, W, 1) float32. Raises as `read_photo`, and FormatError for values < `low`."""
    values = read_depth(path)[:, :, None]
    missing = int(np.sum(values < low))
    if missing:
        raise FormatError(f"depth '{os.fspath(path)}' has {missing} pixels without a depth (less than {low:g}): fill "
                          "the holes")
    return values


def _opened(path: str | os.PathLike[str]) -> Any:
    from PIL.Image import DecompressionBombError

    try:
        return open_picture(path)
    except FormatError as error:
        if isinstance(error.__cause__, DecompressionBombError):
            raise FormatError(f"image '{os.fspath(path)}' has more pixels than are read: {error.__cause__}; make it "
                              "smaller first") from None
        raise


def _upright(image: Any) -> Any:
    from PIL import ImageOps

    with contextlib.suppress(Exception):  # tags that cannot be read say nothing about the orientation
        return ImageOps.exif_transpose(image)
    return image
