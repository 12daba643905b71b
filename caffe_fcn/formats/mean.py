"""Mean images: a single BlobProto in a file (``.binaryproto``)."""

from __future__ import annotations

import math
import os

import numpy as np

from caffe_fcn.errors import FormatError
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.formats.blobproto import read_blob
from caffe_fcn.formats.files import map_file
from caffe_fcn.formats.wire import Message


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """The mean image, float32 (channels, height, width).

    Raises MissingFileError, FileAccessError, or FormatError when the file is no BlobProto or not a single image.
    """
    name, buffer = os.fspath(path), map_file(path)
    blob = read_blob(Message(buffer, 0, len(buffer), name))
    shape = (1,) * (4 - len(blob.shape)) + blob.shape
    if len(shape) != 4 or shape[0] != 1 or min(shape) < 1 or math.prod(shape) != blob.data.size:
        raise FormatError(f"{name}: is not a mean image: shape {blob.shape} and {blob.data.size} values")
    return np.array(blob.data, np.float32).reshape(shape[1:])


def write(path: str | os.PathLike[str], mean: np.ndarray) -> None:
    """Write a mean image (channels, height, width) atomically, with the old axes (num 1), as the original does."""
    from caffe_fcn.proto import caffe_pb2

    blob = caffe_pb2.BlobProto(num=1, data=np.asarray(mean, np.float32).ravel().tolist())
    blob.channels, blob.height, blob.width = mean.shape
    with atomic_write(path) as file:
        file.write(blob.SerializeToString())
