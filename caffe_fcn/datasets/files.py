"""Reading what data sets consist of: lists, label pictures, depths, MATLAB files. Every exception names the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from caffe_fcn.data.lists import read_text
from caffe_fcn.errors import FileAccessError, FormatError, PrototxtError
from caffe_fcn.formats.files import existing_file

FEW_BITS = {2: 85, 4: 17}  # bits of a grey PNG: by what Pillow multiplies its values
DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")
PNG = b"\x89PNG\r\n\x1a\n"


def read_ids(path: str | os.PathLike[str]) -> list[str]:
    """The lines of a split, one picture's name each. MissingFileError; PrototxtError if there are none."""
    ids = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not ids:
        raise PrototxtError("lists no pictures", os.fspath(path))
    return ids


def open_picture(path: str | os.PathLike[str]) -> Any:
    """A loaded PIL image, as it is in the file. MissingFileError, FileAccessError, FormatError name the file."""
    from PIL import Image

    name = existing_file(path)
    try:
        with Image.open(name) as image:
            image.load()
            return image
    except Image.UnidentifiedImageError:
        raise FormatError(f"image '{name}': not an image file, or one that is damaged at its beginning") from None
    except PermissionError as error:
        raise FileAccessError(f"cannot read '{name}': {error.strerror}", name, error.errno) from error
    except Exception as error:  # decoders raise many kinds on damaged files
        raise FormatError(f"image '{name}': the image is damaged: {error}") from error


def read_label(path: str | os.PathLike[str]) -> np.ndarray:
    """The class ids of a label picture: (height, width) uint8, the indices of a palette or grey values.

    FormatError for other kinds of pictures.
    """
    return label_ids(open_picture(path), path)


def label_ids(image: Any, path: str | os.PathLike[str]) -> np.ndarray:
    """As `read_label`, of a PIL image that is open already; `path` is for messages and the depth of its values."""
    if image.mode in DEEP:
        raise FormatError(f"label '{os.fspath(path)}' has 16 bits a pixel; class ids need 8: save it with mode L or P")
    if image.mode not in ("P", "L", "1"):
        raise FormatError(f"label '{os.fspath(path)}' must be a palette or grey picture whose values are class ids, "
                          f"got mode {image.mode}; `caffe-fcn data convert` turns colours into ids")
    ids = np.asarray(image, np.uint8)
    return ids // FEW_BITS.get(_grey_bits(path), 1) if image.mode == "L" else ids


def _grey_bits(path: str | os.PathLike[str]) -> int:
    """Bits a pixel of a PNG, 8 for any other file."""
    with open(path, "rb") as file:
        head = file.read(26)
    return head[24] if head.startswith(PNG) and len(head) == 26 else 8


def read_depth(path: str | os.PathLike[str]) -> np.ndarray:
    """A picture of one value a pixel, up to 16 bits: (height, width) float32. FormatError for colours."""
    image = open_picture(path)
    if image.mode not in (*DEEP, "L", "F"):
        raise FormatError(f"depth '{os.fspath(path)}' must have one value a pixel, got mode {image.mode}")
    return np.asarray(image, np.float32)


def read_mat(path: str | os.PathLike[str], *keys: str) -> Any:
    """A variable of a MATLAB file, and with more `keys` a field of the struct that it is.

    Raises MissingFileError, and FormatError for another format or other keys than asked for.
    """
    from scipy.io import loadmat

    name = existing_file(path)
    try:
        found: Any = loadmat(name, variable_names=[keys[0]])
    except NotImplementedError:
        raise FormatError(f"'{name}' is a MATLAB 7.3 file; save it again in MATLAB with save(..., '-v7')") from None
    except PermissionError as error:
        raise FileAccessError(f"cannot read '{name}': {error.strerror}", name, error.errno) from error
    except Exception as error:  # many kinds on damaged files
        raise FormatError(f"'{name}' is not a MATLAB file, or it is damaged: {error}") from error
    for key in keys:
        found = _field(found, key, name)
    return found


def _field(found: Any, key: str, name: str) -> Any:
    if isinstance(found, dict):
        if key not in found:
            from scipy.io import whosmat

            there = ", ".join(variable for variable, _, _ in whosmat(name))
            raise FormatError(f"'{name}' has no variable '{key}'; it has {there or 'none'}")
        return found[key]
    fields = getattr(getattr(found, "dtype", None), "names", None) or ()
    if key not in fields or found.size != 1:
        raise FormatError(f"'{name}' must hold a struct with the field '{key}'; found {', '.join(fields) or 'none'}")
    return found.reshape(-1)[0][key]


def label_matrix(values: Any, path: str | os.PathLike[str], largest: int, least: int = 0) -> np.ndarray:
    """A matrix of a MATLAB file: (height, width) int64. FormatError unless its values are whole, least ... largest."""
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "iufb" or not array.size:
        raise FormatError(f"'{os.fspath(path)}' must hold a matrix of numbers, got {array.shape} of {array.dtype}")
    wrong = array[~((array >= least) & (array <= largest) & (array == np.floor(array)))]
    if wrong.size:
        raise FormatError(f"the labels of '{os.fspath(path)}' must be whole numbers from {least} to {largest}, got "
                          f"{wrong[0]}")
    return array.astype(np.int64)


def find_picture(folder: Path, name: str, endings: tuple[str, ...]) -> Path:
    """The file `name` in `folder` with the first of the endings that there is; if none is there, with the first."""
    files = [folder / f"{name}{ending}" for ending in endings]
    return next((file for file in files if file.is_file()), files[0])
