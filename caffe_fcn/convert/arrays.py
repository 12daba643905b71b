"""Weights as arrays by name: .npz, .safetensors and HDF5 files, whoever wrote them. Pickles are never read."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from caffe_fcn.errors import CaffeFcnError, FormatError, NotSupportedError
from caffe_fcn.formats import hdf5
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.formats.files import existing_file
from caffe_fcn.weights import read_weights

PathLike = str | os.PathLike[str]
Arrays = dict[str, np.ndarray]
ZIP_START = b"PK\x03\x04"
PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(lp", b"(dp", b"(i", b"cnumpy", b"ccopy")
MAX_PACKING, ALWAYS_FINE = 1100, 1 << 16  # deflate packs zeros no tighter; bytes that may be claimed anyway


def read_arrays(path: PathLike) -> Arrays:
    """The arrays of a file by name, the format told by its content. Names in caffemodels are `layer/index`.

    Raises MissingFileError, FileAccessError, FormatError for damaged files, and NotSupportedError for pickles and for
    formats whose package is not installed.
    """
    name = existing_file(path)
    with open(name, "rb") as file:
        start = file.read(16)
    if start.startswith(PICKLE_STARTS):
        raise _pickle(name)
    if hdf5.is_hdf5(name):
        return _read_hdf5(name)
    if start.startswith(ZIP_START):
        return _read_npz(name)
    if start[8:9] == b"{":
        return _read_safetensors(name)
    return {f"{layer.name}/{i}": blob.data.reshape(blob.shape) if blob.data.size == np.prod(blob.shape, dtype=object)
            else _wrong_count(name, layer.name)
            for layer in read_weights(name) for i, blob in enumerate(layer.blobs) if blob is not None}


def holds_blobs(path: PathLike) -> bool:
    """Whether a file looks like Caffe's own weights, binary or HDF5, by its content: the net reads these itself."""
    name = existing_file(path)
    if hdf5.is_hdf5(name):
        h5py = hdf5.import_h5py(name)
        with hdf5.format_errors(name), h5py.File(name, "r") as file:
            return isinstance(file.get("data"), h5py.Group)
    with open(name, "rb") as file:
        start = file.read(16)
    return not start.startswith((*PICKLE_STARTS, ZIP_START)) and start[8:9] != b"{"


def _wrong_count(name: str, layer: str) -> np.ndarray:
    raise FormatError(f"{name}: a blob of layer '{layer}' has another number of values than its shape says")


def _pickle(name: str) -> NotSupportedError:
    return NotSupportedError(f"{name}: is a pickle, which could run any program when read; where it was made, save the "
                             "weights as .safetensors or .npz (no object arrays)")


def _read_npz(name: str) -> Arrays:
    result: Arrays = {}
    try:
        with zipfile.ZipFile(name) as archive:
            for info in archive.infolist():
                if info.filename.endswith(("data.pkl", ".pickle")):
                    raise _pickle(name)
                where = f"{name}: '{info.filename}'"
                if not info.filename.endswith(".npy"):
                    raise FormatError(f"{where} is no array: this is not an .npz file")
                if info.file_size > ALWAYS_FINE + MAX_PACKING * info.compress_size:
                    raise FormatError(f"{where} claims {info.file_size} bytes but holds {info.compress_size}")
                with archive.open(info) as file:
                    result[info.filename.removesuffix(".npy")] = _read_npy(file, info.file_size, where)
    except CaffeFcnError:
        raise
    except Exception as error:  # zipfile, zlib, struct and NumPy each have their own
        raise FormatError(f"{name}: cannot be read as .npz: {error}") from error
    return result


def _read_npy(file: Any, size: int, where: str) -> np.ndarray:
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = reader(file)
    if dtype.hasobject:
        raise _pickle(where)
    if dtype.kind not in "fiub":
        raise FormatError(f"{where} holds {dtype}, not numbers")
    count = int(np.prod(shape, dtype=object))
    if count < 0 or count * dtype.itemsize > size:
        raise FormatError(f"{where} claims the shape {shape} but holds {size} bytes")
    values = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return values.reshape(shape[::-1]).T if fortran else values.reshape(shape)


def _import_safetensors(path: PathLike) -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise NotSupportedError(f"'{os.fspath(path)}' is a safetensors file: pip install caffe_fcn[convert]") from error
    return safetensors


def _read_safetensors(name: str) -> Arrays:
    safetensors = _import_safetensors(name)
    try:
        return dict(safetensors.numpy.load_file(name))
    except Exception as error:  # SafetensorError, and what unknown types make it raise
        raise FormatError(f"{name}: cannot be read as safetensors: {error}") from error


def _read_hdf5(name: str) -> Arrays:
    h5py, result = hdf5.import_h5py(name), {}
    with hdf5.format_errors(name), h5py.File(name, "r") as file:
        is_caffe = isinstance(file.get("data"), h5py.Group)

        def visit(path: str, item: Any) -> None:  # of hard links only, each object once
            if isinstance(item, h5py.Dataset) and not (is_caffe and path.startswith("diff/")):
                values = hdf5.read_dataset(item)
                result[path.removeprefix("data/") if is_caffe else path] = values.data.reshape(values.shape)

        file.visititems(visit)
    return result


def write_npz(path: PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file atomically. Raises FileAccessError."""
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)


def write_safetensors(path: PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file atomically. Raises FileAccessError, NotSupportedError without safetensors."""
    safetensors = _import_safetensors(path)
    data = safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
    with atomic_write(path) as file:
        file.write(data)
