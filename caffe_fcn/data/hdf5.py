"""Batches of rows from HDF5 files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_fcn.errors import FormatError, MissingFileError, ShapeError
from caffe_fcn.formats.files import existing_file
from caffe_fcn.formats.hdf5 import format_errors, import_h5py, read_dataset
from caffe_fcn.memory import check_room

from .batches import empty
from .lists import file_list


def read_sets(path: str | os.PathLike[str], names: Sequence[str]) -> list[np.ndarray]:
    """The data sets of these names in a file, float32 (rows, ...), of any number type in the file.

    Raises MissingFileError, FileAccessError, FormatError for a missing set, one that is no array of numbers, or
    numbers of rows that differ, BlobMemoryError when they do not fit, and NotSupportedError without h5py.
    """
    file_name = existing_file(path)
    h5py = import_h5py(file_name)
    with format_errors(file_name), h5py.File(file_name, "r") as file:
        sets = [_read(file, name, h5py) for name in names]
    rows = [len(values) for values in sets]
    if len(set(rows)) > 1 or not rows[0]:
        found = ", ".join(f"'{name}' {n}" for name, n in zip(names, rows, strict=True))
        raise FormatError(f"{file_name}: the sets must have equally many rows, at least one; found {found}")
    return sets


def _read(file: Any, name: str, h5py: Any) -> np.ndarray:
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        kind = "; this is a group" if dataset is not None else ""
        raise FormatError(f"{file.filename}: has no data set '{name}' (a top of the layer){kind}; it has "
                          f"{sorted(file)[:20]}")
    if not dataset.shape:
        raise FormatError(f"{file.filename}: the data set '{name}' is a single value; the first axis must be rows")
    check_room(dataset.size * (dataset.dtype.itemsize + 4), f"{file.filename}: '{name}' of shape {dataset.shape} (use "
               "several smaller files?)")
    return read_dataset(dataset).data.astype(np.float32, copy=False).reshape(dataset.shape)


class Hdf5Batches:
    """Rows of the files that the text file `source` lists; one file at a time is in memory.

    `next` gives one array (size, ...) per name. Raises what :func:`read_sets` raises, then begins the file after the
    bad one at the next call, and ShapeError for a file whose sets have other shapes than those of the first.
    """

    def __init__(self, source: str, names: Sequence[str], size: int, shuffle: bool,
                 generator: np.random.Generator) -> None:
        self._source, self._files = source, file_list(source)
        self._names, self._size = names, size
        self._shuffle, self._generator = shuffle, generator
        self._next_file = 0
        self._sets: list[np.ndarray] = []
        self._order = np.empty(0, np.int64)  # rows of the current file that are still to come
        self._rank, self._count = 0, 1
        self._passed = 0  # rows before those of the current file
        if shuffle:
            generator.shuffle(self._files)
        self._load()
        self.shapes = [(size, *values.shape[1:]) for values in self._sets]

    def share(self, rank: int, count: int) -> None:
        """See Batches. The rows of all files count on."""
        self._rank, self._count = rank, count
        self._order = self._mine(self._order, 0)

    def _mine(self, rows: np.ndarray, before: int) -> np.ndarray:
        return rows[(before + np.arange(len(rows))) % self._count == self._rank]

    def _load(self) -> None:
        """Make the next file the current one; after the last the first comes again, perhaps in a new order."""
        if len(self._files) > 1 or not self._sets:
            if self._next_file == len(self._files):
                self._next_file = 0
                if self._shuffle:
                    self._generator.shuffle(self._files)
            file = self._files[self._next_file]
            self._next_file += 1
            try:
                sets = read_sets(file, self._names)
            except MissingFileError as error:
                raise MissingFileError(f"{error}, listed in '{self._source}'", file) from None
            self._check_shapes(file, sets)
            self._sets = sets
        self._order = np.arange(len(self._sets[0]))
        if self._shuffle:
            self._generator.shuffle(self._order)
        before, self._passed = self._passed, self._passed + len(self._order)
        self._order = self._mine(self._order, before)

    def _check_shapes(self, file: str, sets: list[np.ndarray]) -> None:
        for name, old, new in zip(self._names, self._sets, sets, strict=False):  # none are old in the first file
            if old.shape[1:] != new.shape[1:]:
                raise ShapeError(f"{file}: rows of '{name}' have the shape {new.shape[1:]}, those of the files before "
                                 f"have {old.shape[1:]}")

    def next(self) -> list[np.ndarray]:
        """The next batch."""
        batch = [empty(*shape) for shape in self.shapes]
        filled = 0
        while filled < self._size:
            while not len(self._order):  # a file may have less rows than there are shares
                self._load()
            rows, self._order = np.split(self._order, [self._size - filled])
            for target, values in zip(batch, self._sets, strict=True):
                target[filled:filled + len(rows)] = values[rows]
            filled += len(rows)
        return batch
