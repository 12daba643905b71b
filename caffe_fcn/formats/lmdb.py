"""LMDB databases, through the package `lmdb` (the extra ``caffe_fcn[lmdb]``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from caffe_fcn.errors import FileAccessError, FormatError, NotSupportedError

FIRST_MAP_SIZE = 1 << 26  # bytes of address space; doubled whenever a database outgrows it


def _import() -> Any:
    try:
        import lmdb
    except ImportError as error:
        raise NotSupportedError("LMDB databases need the package lmdb: pip install caffe_fcn[lmdb]") from error
    return lmdb


class LmdbReader:
    """An LMDB opened for reading only, without its lock file: nothing in the folder changes."""

    def __init__(self, source: str) -> None:
        self.source = source
        lmdb = self._lmdb = _import()
        file = os.path.join(source, "data.mdb")
        if os.path.exists(file) and os.path.getsize(file) == 0:
            raise FormatError(f"the database '{source}' is empty: '{file}' has no bytes")
        try:
            # the file, not the folder: a new folder may get the number of a deleted one that is still being read
            self._environment = lmdb.open(file, subdir=False, readonly=True, lock=False, create=False, max_readers=1)
        except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError) as error:
            raise FormatError(f"'{source}' is not an LMDB database or is damaged: {error}") from error
        except lmdb.Error as error:
            raise FileAccessError(f"cannot read the database '{source}': {error}", source) from error
        used = (self._environment.info()["last_pgno"] + 1) * self._environment.stat()["psize"]
        size = os.path.getsize(file)
        if size < used:  # reading on would end the process with a bus error
            self._environment.close()
            raise FormatError(f"the database '{source}' is truncated: it uses {used} bytes, '{file}' has {size}; "
                              "copy it again")

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """All (key, value) in the order of the keys."""
        try:
            with self._environment.begin() as transaction:
                yield from transaction.cursor()
        except self._lmdb.Error as error:
            raise FormatError(f"the database '{self.source}' is damaged: {error}") from error


class LmdbWriter:
    """A new LMDB in an empty folder."""

    def __init__(self, folder: str) -> None:
        self._lmdb = _import()
        self._map_size = FIRST_MAP_SIZE
        self._environment = self._lmdb.open(folder, map_size=self._map_size)

    def put(self, records: list[tuple[bytes, bytes]]) -> None:
        """Store the records in one transaction; the map grows until they fit."""
        while True:
            try:
                with self._environment.begin(write=True) as transaction:
                    for key, value in records:
                        transaction.put(key, value)
                return
            except self._lmdb.MapFullError:
                self._map_size *= 2
                self._environment.set_mapsize(self._map_size)
            except self._lmdb.BadValsizeError as error:
                longest = max((key for key, _ in records), key=len)
                raise FormatError(f"LMDB takes keys of 1 to {self._environment.max_key_size()} bytes, got "
                                  f"{len(longest)}: {longest[:60]!r}...; use shorter file names") from error
            except self._lmdb.Error as error:
                raise OSError(str(error)) from error

    def close(self) -> None:
        """Close it."""
        self._environment.close()
