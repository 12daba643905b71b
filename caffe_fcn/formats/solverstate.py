"""The state of a solver between iterations (``.solverstate``), in Caffe's binary and HDF5 formats.

Binary: a SolverState message, streamed, so that no size is too large. HDF5: the datasets ``iter``, ``current_step``,
``learned_net`` and ``history/0``, ``history/1`` ... The history holds what the update rule keeps: one array for each
learnable parameter in the order of the net (two rows of them for AdaDelta and Adam: all first ones, then all second).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import FormatError
from caffe_fcn.formats.atomic import atomic_path, atomic_write
from caffe_fcn.formats.blobproto import BlobData, blob_chunks, read_blob
from caffe_fcn.formats.files import existing_file, map_file
from caffe_fcn.formats.hdf5 import disk_errors, format_errors, import_h5py, is_hdf5, read_dataset
from caffe_fcn.formats.wire import LENGTH, VARINT, Message, encode_tag, encode_varint

ITER, LEARNED_NET, HISTORY, CURRENT_STEP = 1, 2, 3, 4  # field numbers
SUFFIX_HDF5 = ".h5"
INT32 = 2**31


class SolverState(NamedTuple):
    """What a state file holds.

    iter          iterations done
    learned_net   weight file that belongs to it, as written (relative to the working directory), or None
    history       arrays of the update rule
    current_step  steps of the learning rate done
    """

    iter: int
    learned_net: str | None
    history: Sequence[BlobData]
    current_step: int = 0


def read(path: str | os.PathLike[str]) -> SolverState:
    """Read a state file: HDF5 if its name ends with ``.h5``, else binary, as in Caffe.

    Raises MissingFileError, FileAccessError, FormatError, or NotSupportedError without h5py.
    """
    name = existing_file(path)
    if name.endswith(SUFFIX_HDF5):
        return _read_hdf5(name)
    if is_hdf5(name):
        raise FormatError(f"{name}: is an HDF5 file; its name must end with '{SUFFIX_HDF5}'")
    buffer = map_file(name)
    return _read_message(Message(buffer, 0, len(buffer), name))


def write(path: str | os.PathLike[str], iteration: int, learned_net: str, history: Sequence[np.ndarray],
          current_step: int) -> None:
    """Write a state file atomically: HDF5 if its name ends with ``.h5``, else binary.

    `history` are float32 or float64 arrays of any shape. Raises FileAccessError, NotSupportedError without h5py.
    """
    if os.fspath(path).endswith(SUFFIX_HDF5):
        _write_hdf5(path, iteration, learned_net, history, current_step)
        return
    with atomic_write(path) as file:
        for chunk in _chunks(iteration, learned_net, history, current_step):
            file.write(chunk)


def _read_message(message: Message) -> SolverState:
    iteration, learned_net, current_step = 0, None, 0
    history: list[BlobData] = []
    for number, wire, value in message.fields():
        if number == ITER and wire == VARINT:
            iteration = _int32(value)
        elif number == LEARNED_NET and wire == LENGTH:
            learned_net = os.fsdecode(bytes(value.buffer[value.start:value.stop]))
        elif number == HISTORY and wire == LENGTH:
            history.append(read_blob(value))
        elif number == CURRENT_STEP and wire == VARINT:
            current_step = _int32(value)
    return SolverState(iteration, learned_net, history, current_step)


def _int32(value: int) -> int:
    return (value + INT32) % (2 * INT32) - INT32


def _chunks(iteration: int, learned_net: str, history: Sequence[np.ndarray], current_step: int) -> Iterator[Any]:
    name = os.fsencode(learned_net)
    yield encode_tag(ITER, VARINT) + encode_varint(iteration)
    yield encode_tag(LEARNED_NET, LENGTH) + encode_varint(len(name)) + name
    for index, array in enumerate(history):
        blob = blob_chunks(array, None, f"history {index}")
        yield encode_tag(HISTORY, LENGTH) + encode_varint(sum(map(len, blob)))
        yield from blob
    yield encode_tag(CURRENT_STEP, VARINT) + encode_varint(current_step)


def _read_hdf5(name: str) -> SolverState:
    h5py = import_h5py(name)
    with format_errors(name), h5py.File(name, "r") as file:
        group = file.get("history")
        if not isinstance(group, h5py.Group):
            raise FormatError(f"{name}: has no group 'history', so it is not a solver state of Caffe")
        keys = [str(index) for index in range(len(group))]
        for key in keys:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink) or not isinstance(group[key], h5py.Dataset):
                raise FormatError(f"{name}: the members of 'history' are not the arrays 0, 1, 2 ...")
        learned_net = _scalar(file, "learned_net", None)
        return SolverState(int(_scalar(file, "iter", 0)), None if learned_net is None else os.fsdecode(learned_net),
                           [read_dataset(group[key]) for key in keys], int(_scalar(file, "current_step", 0)))


def _scalar(file: Any, key: str, default: Any) -> Any:
    if key not in file:
        return default
    if file[key].size != 1:
        raise FormatError(f"{file.filename}: '{key}' holds {file[key].size} values instead of one")
    return np.asarray(file[key][()]).reshape(())[()]


def _write_hdf5(path: str | os.PathLike[str], iteration: int, learned_net: str, history: Sequence[np.ndarray],
                current_step: int) -> None:
    h5py = import_h5py(path)
    with atomic_path(path) as temporary, disk_errors(), h5py.File(temporary, "w") as file:
        for key, number in (("iter", iteration), ("current_step", current_step)):
            file.create_dataset(key, data=[number], dtype="<i4")
        _write_string(h5py, file, "learned_net", os.fsencode(learned_net))
        group = file.create_group("history")
        for index, array in enumerate(history):
            group.create_dataset(str(index), data=array)


def _write_string(h5py: Any, file: Any, key: str, text: bytes) -> None:
    """A string that ends with a zero byte: Caffe reads up to it, and h5py's own strings have none."""
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(text) + 1)
    dataset = h5py.h5d.create(file.id, key.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(text, f"S{len(text) + 1}"), mtype=kind)
