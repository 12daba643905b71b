"""Weights in Caffe's HDF5 layout: ``data/<layer>/<index>``, and ``diff/<layer>/<index>`` if diffs were kept.

A shared blob is stored once, with the layer that owns it. A layer whose name has slashes lies in nested groups.
Only what the file itself holds is read: links to other files and external or virtual storage are refused.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from caffe_fcn.errors import CaffeFcnError, FormatError, NotSupportedError, WeightsError
from caffe_fcn.formats.atomic import atomic_path
from caffe_fcn.formats.blobproto import MAX_AXES, MAX_BLOBS, BlobData, float_type
from caffe_fcn.formats.caffemodel import LayerWeights
from caffe_fcn.formats.files import existing_file

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FIRST_OFFSET = 512  # the signature lies at 0 or at 512, 1024, 2048 ...
MAX_PACKING, ALWAYS_FINE = 1100, 1 << 16  # no filter of HDF5 packs zeros tighter; bytes that may be claimed anyway


def is_hdf5(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins as HDF5 does, whatever its name. Raises as `existing_file`."""
    name = existing_file(path)
    with open(name, "rb") as file:
        size, offset = os.fstat(file.fileno()).st_size, 0
        while offset < size:
            file.seek(offset)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
            offset = 2 * offset or FIRST_OFFSET
    return False


def import_h5py(path: str | os.PathLike[str]) -> Any:
    """The module h5py, which only users of HDF5 files need; NotSupportedError names `path` and the extra."""
    try:
        import h5py
    except ImportError as error:
        raise NotSupportedError(f"'{os.fspath(path)}' is an HDF5 file: pip install caffe_fcn[hdf5]") from error
    return h5py


def read(path: str | os.PathLike[str]) -> list[LayerWeights]:
    """The layers of an HDF5 weight file by name; types are unknown (""), and a blob without a dataset is None.

    Raises MissingFileError, FileAccessError, FormatError, or NotSupportedError without h5py.
    """
    name = existing_file(path)
    h5py = import_h5py(name)
    with format_errors(name), h5py.File(name, "r") as file:
        data = file.get("data")
        if not isinstance(data, h5py.Group):
            raise FormatError(f"{name}: has no group 'data', so it is not a weight file of Caffe")
        return [LayerWeights(layer, "", _read_blobs(group, h5py)) for layer, group in _layer_groups(data, h5py)]


def write(
    path: str | os.PathLike[str],
    names: Sequence[str],
    blobs: Sequence[Sequence[np.ndarray]],
    diffs: Sequence[Sequence[np.ndarray]] | None = None,
    shared: Callable[[int, int], bool] | None = None,
) -> None:
    """Write weights atomically: ``blobs[i]`` are the arrays of the layer ``names[i]``, `diffs` likewise.

    ``shared(i, j)`` says that blob j of layer i belongs to another layer and is left out; diffs are all written.

    Raises FileAccessError, NotSupportedError without h5py, and WeightsError for names or values that HDF5 or Caffe
    cannot hold.
    """
    h5py = import_h5py(path)
    _check_names(path, names)
    with atomic_path(path) as temporary, disk_errors(), h5py.File(temporary, "w") as file:
        for kind, arrays, left_out in (("data", blobs, shared), ("diff", diffs, None)):
            if arrays is None:
                continue
            file.create_group(kind)
            for i, (name, layer) in enumerate(zip(names, arrays, strict=True)):
                group = file.require_group(f"{kind}/{name}")
                for j, array in enumerate(layer):
                    if left_out is None or not left_out(i, j):
                        dtype = float_type(array, f"layer '{name}', blob {j}")
                        group.create_dataset(str(j), data=array, dtype=dtype)


def _check_names(path: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Refuse names that would not be found again under the same path."""
    seen: set[str] = set()
    for name in names:
        parts = name.split("/")
        inside_layer = any(part.isdigit() and "/".join(parts[:i]) in names for i, part in enumerate(parts) if i)
        if "" in parts or "." in parts or name in seen or "\0" in name or inside_layer:
            problem = "appears twice" if name in seen else "is no name for an HDF5 group"
            raise WeightsError(f"{os.fspath(path)}: layer name '{name}' {problem}; rename it or save in binary format")
        seen.add(name)


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn the RuntimeError that h5py raises when a file cannot grow into the usual OSError."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(str(error)) from error


@contextlib.contextmanager
def format_errors(name: str) -> Iterator[None]:
    """Turn what h5py raises for a damaged file into FormatError."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, CaffeFcnError):
            raise
        raise FormatError(f"{name}: cannot be read as HDF5: {error}") from error


def _layer_groups(data: Any, h5py: Any) -> list[tuple[str, Any]]:
    """The groups below `data` that are layers: all but those that only hold other groups."""
    layers: list[tuple[str, Any]] = []
    waiting, seen = [data], set()
    while waiting:
        group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            raise FormatError(f"{data.file.filename}: the group '{group.name}' is linked twice")
        seen.add(address)
        if not all(isinstance(group.get(key, getlink=True), h5py.HardLink) for key in group):
            raise FormatError(f"{data.file.filename}: the group '{group.name}' has a link that leads elsewhere")
        below = [item for item in group.values() if isinstance(item, h5py.Group)]
        waiting += reversed(below)
        if group != data and (not below or len(below) < len(group)):
            layers.append((group.name.removeprefix(f"{data.name}/"), group))
    return layers


def _read_blobs(group: Any, h5py: Any) -> list[BlobData | None]:
    found: dict[int, BlobData] = {}
    for key, item in group.items():
        if isinstance(item, h5py.Group):
            continue
        if not isinstance(item, h5py.Dataset) or not (
            key.isascii() and key.isdigit() and str(int(key)) == key and int(key) < MAX_BLOBS
        ):
            raise FormatError(f"{group.file.filename}: '{item.name}' is not the index of a blob (0, 1, 2 ...)")
        found[int(key)] = read_dataset(item)
    return [found.get(index) for index in range(max(found, default=-1) + 1)]


def read_dataset(dataset: Any) -> BlobData:
    """The values of a dataset as a blob; FormatError unless it is an array of numbers that the file itself holds."""
    where = f"{dataset.file.filename}: '{dataset.name}'"
    if dataset.shape is None or dataset.dtype.kind not in "fiu" or len(dataset.shape) > MAX_AXES:
        raise FormatError(f"{where} is not an array of numbers (shape {dataset.shape}, type {dataset.dtype})")
    if dataset.is_virtual or dataset.external:
        raise FormatError(f"{where} keeps its values in another file; copy them into this one")
    claimed, stored = dataset.size * dataset.dtype.itemsize, dataset.id.get_storage_size()
    if claimed > ALWAYS_FINE + MAX_PACKING * stored:
        raise FormatError(f"{where} claims {claimed} bytes of values but holds {stored}")
    dtype = "<f8" if dataset.dtype == np.float64 else "<f4"
    return BlobData(dataset.shape, False, np.asarray(dataset[()], dtype).reshape(-1))
