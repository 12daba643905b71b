"""Images, mean arrays, datums and blob messages to arrays and back; no scikit-image needed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import FormatError
from ..formats.files import existing_file
from ..proto import caffe_pb2
from .resize import resize_image
from .signatures import bare_signatures
from .transformer import Transformer

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "caffe_pb2",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize_image",
]

GREY = np.array([0.2125, 0.7154, 0.0721], np.float32)  # of red, green, blue: the luma that scikit-image uses


def blobproto_to_array(blob: Any, return_diff: bool = False) -> npt.NDArray[np.float64]:
    """The values (or diffs) of a BlobProto, float64 in its shape (the four old axes win over `shape`)."""
    values = (blob.double_diff or blob.diff) if return_diff else (blob.double_data or blob.data)
    if any(blob.HasField(axis) for axis in ("num", "channels", "height", "width")):
        shape: Iterable[int] = (blob.num, blob.channels, blob.height, blob.width)
    else:
        shape = blob.shape.dim
    return np.array(values, np.float64).reshape(tuple(shape))


def array_to_blobproto(arr: npt.ArrayLike, diff: npt.ArrayLike | None = None) -> Any:
    """A BlobProto of an array of any shape; `diff` of the same shape fills its diffs."""
    values = np.asarray(arr)
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(values.shape)
    blob.data.extend(values.astype(float).ravel())
    if diff is not None:
        blob.diff.extend(np.asarray(diff).astype(float).ravel())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[npt.ArrayLike]) -> bytes:
    """A serialised BlobProtoVector of arrays, as FeatureExtraction tools exchange them."""
    vector = caffe_pb2.BlobProtoVector()
    vector.blobs.extend(array_to_blobproto(array) for array in arraylist)
    return bytes(vector.SerializeToString())


def blobprotovector_str_to_arraylist(str: bytes) -> list[npt.NDArray[np.float64]]:
    """The arrays of a serialised BlobProtoVector."""
    vector = caffe_pb2.BlobProtoVector()
    vector.ParseFromString(str)
    return [blobproto_to_array(blob) for blob in vector.blobs]


def array_to_datum(arr: npt.NDArray[Any], label: int | None = None) -> Any:
    """A Datum of an image (channels, height, width): uint8 as bytes, anything else as floats.

    Raises ValueError for another number of axes.
    """
    if arr.ndim != 3:
        raise ValueError(f"a Datum takes an array (channels, height, width), got the shape {arr.shape}")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).ravel())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> npt.NDArray[Any]:
    """The image of a Datum (channels, height, width): uint8, or float64 where it holds floats.

    Encoded images are decoded, with colours in the order blue, green, red. Raises FormatError when the number of
    values is not that of the sizes.
    """
    if datum.encoded:
        from ..formats.images import decode

        return decode(datum.data, "Datum")
    shape = (datum.channels, datum.height, datum.width)
    values = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float64)
    if values.size != np.prod(shape):
        raise FormatError(f"the Datum holds {values.size} values, but says channels, height, width = {shape}")
    return values.reshape(shape).copy()


def load_image(filename: str | os.PathLike[str], color: bool = True) -> npt.NDArray[np.float32]:
    """An image file as float32 between 0 and 1.

    Returns (height, width, 3) with the colours red, green, blue (grey files give three equal channels), or
    (height, width, 1) without `color`.
    Raises FileNotFoundError; FormatError for a file that is no readable image.
    """
    from PIL import Image

    name = existing_file(filename)
    try:
        with Image.open(name) as image:
            pixels = _unit_pixels(image)
    except Exception as error:  # decoders raise many kinds on damaged files
        raise FormatError(f"{os.fspath(filename)}: cannot be read as an image: {error}") from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
        return np.tile(pixels, (1, 1, 3)) if color else pixels
    if color:
        return np.ascontiguousarray(pixels[:, :, :3])
    if pixels.shape[2] == 4:  # on white
        alpha = pixels[:, :, 3:]
        pixels = pixels[:, :, :3] * alpha + (1 - alpha)
    return (pixels @ GREY)[:, :, np.newaxis]


def _unit_pixels(image: Any) -> npt.NDArray[np.float32]:
    """Pixels between 0 and 1: (height, width) for grey images, else (height, width, 3 or 4)."""
    if image.mode == "F":
        return np.asarray(image, np.float32)
    if image.mode.startswith("I"):  # 16 bits
        return (np.asarray(image).astype(np.float64) / 65535).astype(np.float32)
    if image.mode in ("LA", "La"):
        image = image.convert("RGBA")
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "RGBA"):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    return (np.asarray(image) / 255.0).astype(np.float32)


def oversample(images: Sequence[npt.NDArray[Any]] | npt.NDArray[Any], crop_dims: Sequence[int] | npt.NDArray[Any]
               ) -> npt.NDArray[np.float32]:
    """Ten crops of each image: the four corners and the centre, then the same five mirrored.

    images     K images (height, width, channels), all of one size
    crop_dims  (height, width) of the crops

    Returns (10 * K, height, width, channels) float32. Raises ValueError for crops larger than the images.
    """
    size = np.array(images[0].shape[:2])
    crop = np.array(crop_dims)
    if (crop > size).any():
        raise ValueError(f"cannot cut {tuple(crop.tolist())} out of images of {tuple(size.tolist())}")
    rest = size - crop
    starts = [(y, x) for y in (0, rest[0]) for x in (0, rest[1])] + [tuple((size / 2.0 - crop / 2.0).astype(int))]
    crops = np.empty((10 * len(images), *crop, images[0].shape[-1]), np.float32)
    for k, image in enumerate(images):
        for i, (y, x) in enumerate(starts):
            window = image[y:y + crop[0], x:x + crop[1], :]
            crops[10 * k + i] = window
            crops[10 * k + 5 + i] = window[:, ::-1]
    return crops


bare_signatures(__name__)
