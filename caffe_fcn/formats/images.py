"""Image files to arrays, in the order that Caffe uses: (channels, height, width), colours blue, green, red, uint8.

The numbers are those that OpenCV gave the original: colours of a grey image are equal, grey is 0.299 R + 0.587 G +
0.114 B, resizing is bilinear between the centres of pixels without smoothing. The orientation tag of photos is ignored.
"""

from __future__ import annotations

import io
import os
from typing import Any, BinaryIO

import numpy as np

from caffe_fcn.errors import CaffeFcnError, FileAccessError, FormatError, MissingFileError
from caffe_fcn.formats.files import existing_file
from caffe_fcn.memory import check_room

GREY_WEIGHTS = (9797, 19234, 3737)  # of red, green and blue, in 1/32768
BYTES_TO_RESIZE = 16  # for each new value, intermediate ones included
STEPS = 2048  # a bilinear weight is a multiple of 1/STEPS
WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read_image(path: str | os.PathLike[str], where: str = "", color: bool = True) -> np.ndarray:
    """The image in a file: (3, height, width) with `color`, else (1, height, width).

    Raises MissingFileError, FileAccessError, or FormatError as :func:`decode`; all begin with `where`.
    """
    name = os.fspath(path)
    try:
        with open(existing_file(name), "rb") as file:
            return _decode(file, f"{where}: image '{name}'" if where else f"image '{name}'", color)
    except MissingFileError as error:
        raise MissingFileError(f"{where}: {error}" if where else str(error), name) from None
    except OSError as error:
        if isinstance(error, CaffeFcnError):
            raise FileAccessError(f"{where}: {error}" if where else str(error), name) from None
        raise FileAccessError(f"{where}: cannot read '{name}': {error.strerror or error}", name, error.errno) from error


def decode(data: bytes, where: str, color: bool | None = None) -> np.ndarray:
    """The image in the bytes of an image file.

    color   True: 3 channels; False: 1; None: 1 for grey files, 3 for colours, 4 (with alpha last) if there is alpha

    Raises FormatError, beginning with `where`: no readable image; 16 bits a channel where they would be lost; or a
    palette or alpha where grey values are asked for, as for labels (the colours of a palette are no class numbers).
    """
    return _decode(io.BytesIO(data), where, color)


def encode(image: np.ndarray, extension: str) -> bytes:
    """An image file of (1 or 3, height, width) uint8 values; `extension` names the format ("png", "jpg" ...).

    Raises FormatError for a format that cannot be written.
    """
    from PIL import Image

    pixels = image[0] if len(image) == 1 else image[::-1].transpose(1, 2, 0)
    kind = Image.registered_extensions().get(f".{extension.lower()}")
    if kind is None or kind not in Image.SAVE:
        raise FormatError(f"images cannot be written in the format '{extension}'; use png or jpg")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return buffer.getvalue()


def _decode(file: BinaryIO, where: str, color: bool | None) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(file) as image:
            if color is False and image.mode in ("RGB", "YCbCr"):
                image.draft("L", image.size)  # a JPEG holds its grey values apart
            image.load()
            return _grey(image, where) if color is False else _colors(image, where, keep=color is None)
    except CaffeFcnError:
        raise
    except Image.UnidentifiedImageError:
        raise FormatError(f"{where}: not an image file, or one that is damaged at its beginning") from None
    except Exception as error:  # decoders raise many kinds on damaged files
        raise FormatError(f"{where}: the image is damaged: {error}; replace the file or remove it from the "
                          "list") from error


def _colors(image: Any, where: str, keep: bool) -> np.ndarray:
    """(3, height, width); with `keep` as many channels as the file has."""
    transparent = image.mode in WITH_ALPHA or "transparency" in image.info
    if image.mode in DEEP:
        if keep:
            raise FormatError(f"{where}: has 16 bits a channel; databases hold 8: convert the image, or set "
                              "force_color or force_gray")
        return np.broadcast_to((np.asarray(image) >> 8).astype(np.uint8), (3, image.height, image.width))
    if image.mode == "F":
        raise FormatError(f"{where}: holds floating point values; convert it to 8 bits a channel")
    if keep and image.mode in ("L", "1"):
        return np.asarray(image.convert("L"))[None]
    if keep and transparent:
        pixels = np.asarray(image.convert("RGBA")).transpose(2, 0, 1)
        return pixels[[2, 1, 0, 3]]
    if image.mode == "P" and transparent:
        image = image.convert("RGBA")  # otherwise Pillow warns
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)[::-1]


def _grey(image: Any, where: str) -> np.ndarray:
    """(1, height, width)"""
    advice = "save it as plain 8-bit grey values (mode L), for labels the class numbers themselves"
    if image.mode in WITH_ALPHA or "transparency" in image.info:
        raise FormatError(f"{where}: has an alpha channel, which grey values cannot hold; {advice}")
    if image.mode == "P" and not _is_plain_palette(image):
        raise FormatError(f"{where}: has a palette; its colours would be taken for the values, not its indices; "
                          f"{advice}")
    if image.mode in DEEP or image.mode == "F":
        raise FormatError(f"{where}: has more than 8 bits a pixel, of which the lower ones would be lost; {advice}")
    if image.mode in ("L", "1", "P"):
        return np.asarray(image.convert("L"))[None]
    red, green, blue = np.asarray(image.convert("RGB")).transpose(2, 0, 1).astype(np.int32)
    r, g, b = GREY_WEIGHTS
    return ((r * red + g * green + b * blue) >> 15).astype(np.uint8)[None]


def _is_plain_palette(image: Any) -> bool:
    """Is every colour of the palette the grey of its own index?"""
    palette = np.reshape(image.getpalette("RGB"), (-1, 3))
    return bool((palette == np.arange(len(palette))[:, None]).all())


def resize(image: np.ndarray, height: int, width: int, step: tuple[float, float] | None = None) -> np.ndarray:
    """Resize (channels, h, w) uint8 to (channels, height, width), bilinear between pixel centres, no smoothing.

    step  old pixels to a new one, downwards and to the right; (h / height, w / width) by default

    Weights are rounded to 1/2048 and sums as in OpenCV's fixed-point arithmetic. Raises BlobMemoryError for a size that
    does not fit the memory.
    """
    if image.shape[1:] == (height, width):
        return image
    check_room(BYTES_TO_RESIZE * len(image) * (height + 1) * (width + 1), f"resizing an image to {height} x {width}")
    down, right_step = step or (image.shape[1] / height, image.shape[2] / width)
    left, right, weight = _neighbours(image.shape[2], width, right_step)
    upper, lower, rise = _neighbours(image.shape[1], height, down)
    values = image.astype(np.int32)
    rows = (values[:, :, left] * (STEPS - weight) + values[:, :, right] * weight) >> 4
    rise = rise[:, None]
    mixed = (rows[:, upper] * (STEPS - rise) >> 16) + (rows[:, lower] * rise >> 16)
    return ((mixed + 2) >> 2).astype(np.uint8)


def _neighbours(size: int, new_size: int, step: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each new pixel of an axis: its two old neighbours and the weight of the second in 1/STEPS."""
    place = ((np.arange(new_size) + 0.5) * step - 0.5).astype(np.float32)
    first = np.floor(place).astype(np.int32)
    weight = np.rint((place - first) * STEPS).astype(np.int32)
    return np.clip(first, 0, size - 1), np.clip(first + 1, 0, size - 1), weight
