"""One blob in Caffe's binary format (BlobProto): in weights, solver states and mean images."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import WeightsError
from caffe_fcn.formats.wire import FIXED32, FIXED64, LENGTH, VARINT, Message, encode_tag, encode_varint

MAX_AXES = 32  # of a blob, as in Caffe
MAX_BLOBS = 1000  # of a layer; a file of empty blobs would take hundreds of times its size in memory

# field numbers
LEGACY_DIMS = (1, 2, 3, 4)  # num, channels, height, width
DATA, DIFF, SHAPE, DOUBLE_DATA, DOUBLE_DIFF = 5, 6, 7, 8, 9
SHAPE_DIM = 1
VALUES = {DATA: ("<f4", FIXED32), DIFF: ("<f4", FIXED32), DOUBLE_DATA: ("<f8", FIXED64), DOUBLE_DIFF: ("<f8", FIXED64)}


class BlobData(NamedTuple):
    """One blob as a file has it.

    shape   its axes; the four old ones (num, channels, height, width) if `legacy`
    data    (n,) float32 or float64, read-only; n need not be the product of `shape` in a damaged file
    diff    (n,) likewise, or None
    """

    shape: tuple[int, ...]
    legacy: bool
    data: np.ndarray
    diff: np.ndarray | None = None


def read_blob(message: Message) -> BlobData:
    """One BlobProto. Doubles win over floats, legacy axes over `shape`, as in Caffe."""
    legacy: dict[int, int] = {}
    dims: list[int] = []
    values: dict[int, list[np.ndarray]] = {number: [] for number in VALUES}
    for number, wire, value in message.fields():
        if number in VALUES:
            dtype, single = VALUES[number]
            if wire == LENGTH:
                values[number] += [value.array(dtype)] if value.start < value.stop else []
            elif wire == single:
                values[number].append(value.view(dtype))
        elif number == SHAPE and wire == LENGTH:
            _read_dims(value, dims)
        elif number in LEGACY_DIMS and wire == VARINT:
            legacy[number] = _signed(value & 0xFFFFFFFF, 32)
    data, diff, double_data, double_diff = (_joined(values[number], VALUES[number][0]) for number in VALUES)
    shape = tuple(legacy.get(number, 0) for number in LEGACY_DIMS) if legacy else tuple(dims)
    gradient = double_diff if double_diff.size else diff
    return BlobData(shape, bool(legacy), double_data if double_data.size else data, gradient if gradient.size else None)


def float_type(array: np.ndarray, where: str) -> str:
    """The type in which files hold `array`: "<f8" for float64, "<f4" for what float32 holds exactly.

    Raises WeightsError, which begins with `where`, for anything else (int64, complex, strings ...).
    """
    if array.dtype == np.float64:
        return "<f8"
    if not np.can_cast(array.dtype, np.float32):
        raise WeightsError(f"{where}: values of type {array.dtype} cannot be stored as floats; convert them first")
    return "<f4"


def blob_chunks(data: np.ndarray, diff: np.ndarray | None = None, where: str = "blob") -> list[Any]:
    """A BlobProto as a list of bytes and of uint8 views of the arrays, in the order of the original.

    The type of `data` decides: float64 goes into the double fields. Raises WeightsError as :func:`float_type`.
    """
    dtype = float_type(data, where)
    fields: dict[int, Any] = {}
    if data.ndim:
        dims = b"".join(encode_varint(size) for size in data.shape)
        fields[SHAPE] = encode_tag(SHAPE_DIM, LENGTH) + encode_varint(len(dims)) + dims
    for number, array in zip((DATA, DIFF) if dtype == "<f4" else (DOUBLE_DATA, DOUBLE_DIFF), (data, diff), strict=True):
        if array is not None and array.size:
            fields[number] = np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8)
    chunks: list[Any] = []
    for number in sorted(fields):
        chunks += [encode_tag(number, LENGTH) + encode_varint(len(fields[number])), fields[number]]
    return chunks


def _read_dims(message: Message, dims: list[int]) -> None:
    for number, wire, value in message.fields():
        if number != SHAPE_DIM or wire not in (VARINT, LENGTH):
            continue
        for dim in value.varints() if wire == LENGTH else (value,):
            if len(dims) == MAX_AXES:
                raise message.error(message.start, f"a blob has more than {MAX_AXES} axes")
            dims.append(_signed(dim, 64))


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _joined(parts: list[np.ndarray], dtype: str) -> np.ndarray:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype)
