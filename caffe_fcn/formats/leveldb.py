"""LevelDB databases, through the package `plyvel` (the extra ``caffe_fcn[leveldb]``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from caffe_fcn.errors import FileAccessError, FormatError, NotSupportedError

# as the original writes them
BLOCK_SIZE, WRITE_BUFFER, OPEN_FILES = 1 << 16, 1 << 28, 100


def _import() -> Any:
    try:
        import plyvel
    except ImportError as error:
        raise NotSupportedError("LevelDB databases need the package plyvel: pip install caffe_fcn[leveldb] (from "
                                "Python 3.13 on: pip install plyvel, which builds it and needs libleveldb-dev), or "
                                "write the database as LMDB (backend: LMDB)") from error
    return plyvel


class LevelDbReader:
    """A LevelDB opened for reading. Only one process at a time may have it open."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._positions: set[Any] = set()  # open iterators
        plyvel = self._plyvel = _import()
        try:
            self._database = plyvel.DB(source, create_if_missing=False, max_open_files=OPEN_FILES,
                                       paranoid_checks=True)
        except plyvel.CorruptionError as error:
            raise FormatError(f"the database '{source}' is damaged: {error}") from error
        except plyvel.Error as error:
            if "lock" in str(error).lower():
                raise FileAccessError(f"the database '{source}' is in use by another process, or by a net that was "
                                      "made before the folder was replaced (LevelDB allows one user at a time), or its "
                                      "folder is read-only: close the other one or copy the folder "
                                      f"[{error}]", source) from error
            raise FileAccessError(f"cannot read the database '{source}': {error}", source) from error

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """All (key, value) in the order of the keys."""
        try:
            # the plain iterator of plyvel takes a damaged block for the end
            with self._database.raw_iterator(verify_checksums=True) as position:
                self._positions.add(position)
                try:
                    position.seek_to_first()
                    while position.valid():
                        yield position.item()
                        position.next()
                finally:
                    self._positions.discard(position)
        except self._plyvel.Error as error:
            raise FormatError(f"the database '{self.source}' is damaged: {error}; copy it again") from error

    def __del__(self) -> None:
        if hasattr(self, "_database"):
            # when Python exits plyvel has lost sight of them, and one that outlives the database ends the process
            for position in self._positions:
                position.close()
            self._database.close()


class LevelDbWriter:
    """A new LevelDB in an empty folder."""

    def __init__(self, folder: str) -> None:
        self._plyvel = _import()
        self._database = self._plyvel.DB(folder, create_if_missing=True, block_size=BLOCK_SIZE,
                                         write_buffer_size=WRITE_BUFFER, max_open_files=OPEN_FILES)

    def put(self, records: list[tuple[bytes, bytes]]) -> None:
        """Store the records in one synced batch."""
        try:
            with self._database.write_batch(sync=True) as batch:
                for key, value in records:
                    batch.put(key, value)
        except self._plyvel.Error as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Close it."""
        self._database.close()
