"""Datum: one record of a database, an image with its label; raw values or the bytes of an image file."""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from caffe_fcn.errors import FormatError
from caffe_fcn.formats.images import decode
from caffe_fcn.proto import caffe_pb2


def read(value: bytes, where: str) -> Any:
    """The Datum message in `value`; FormatError, beginning with `where`, if there is none."""
    datum = caffe_pb2.Datum()
    try:
        datum.ParseFromString(value)
    except DecodeError as error:
        raise FormatError(f"{where}: not a Datum: {error}") from error
    return datum


def to_array(datum: Any, where: str, color: bool | None = None) -> np.ndarray:
    """The image of a Datum, (channels, height, width): uint8, or float32 if it holds floats.

    color   for encoded images: True gives 3 channels (BGR), False 1, None what the image file has

    Raises FormatError, beginning with `where`, when the values do not fit the sizes or the image cannot be decoded.
    """
    if datum.encoded:
        return decode(datum.data, where, color)
    shape = (datum.channels, datum.height, datum.width)
    values = np.frombuffer(datum.data, np.uint8) if datum.data else np.asarray(datum.float_data, np.float32)
    if min(shape) < 1 or values.size != int(np.prod(shape, dtype=object)):
        raise FormatError(f"{where}: holds {values.size} values, but says channels, height, width = {shape}"
                          f"{' (an image file? then `encoded` must be set)' if datum.data else ''}")
    return values.reshape(shape)

