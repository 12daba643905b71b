"""Databases of records, ``key -> bytes`` in the order of the keys: LMDB or LevelDB, each through its own library.

Reading never changes an LMDB; LevelDB tidies its files whenever it is opened, so it needs a folder it may write.
A new database is made under a temporary name and renamed when it is complete.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from typing import Protocol
from weakref import WeakValueDictionary

from caffe_fcn.errors import CaffeFcnError, FileAccessError, FormatError, MissingFileError

BACKENDS = ("leveldb", "lmdb")
COMMIT_EVERY = 1000  # records
MARKS = {"lmdb": "data.mdb", "leveldb": "CURRENT"}  # the file that tells what a folder holds
HELD = {"lmdb": "data.mdb", "leveldb": "LOCK"}  # the file that stays open as long as the database


class Reader(Protocol):
    """An open database; closed when nobody holds it any more."""

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """All (key, value) from the first on. Raises FormatError where the database is damaged."""


class Writer(Protocol):
    """A database in the making."""

    def put(self, records: list[tuple[bytes, bytes]]) -> None:
        """Store some records for good. Raises OSError when the disk is full."""

    def close(self) -> None:
        """Give the files free."""


class RecordWriter:
    """Collects records and stores them in groups, as many at a time as the original does."""

    def __init__(self, writer: Writer) -> None:
        self.count = 0
        self._writer = writer
        self._waiting: list[tuple[bytes, bytes]] = []

    def put(self, key: str, value: bytes) -> None:
        """Add a record. The key may hold a file name that is no UTF-8."""
        self._waiting.append((key.encode("utf-8", "surrogateescape"), value))
        self.count += 1
        if len(self._waiting) == COMMIT_EVERY:
            self.flush()

    def flush(self) -> None:
        """Store what waits."""
        if self._waiting:
            self._writer.put(self._waiting)
            self._waiting = []


_open: WeakValueDictionary[tuple[str, str, int], Reader] = WeakValueDictionary()


def open_reader(backend: str, path: str | os.PathLike[str]) -> Reader:
    """Open the database in the folder `path`; `backend` is "lmdb" or "leveldb".

    Several users in one process share one handle: neither library allows a second one.

    Raises MissingFileError when there is none, FileAccessError when it is locked or may not be read, FormatError when
    it is damaged or of the other kind, NotSupportedError when the library is not installed.
    """
    folder = os.path.realpath(path)
    _check_kind(backend, os.fspath(path), folder)
    reader = _open.get((backend, folder, _number(backend, folder)))
    if reader is None:
        if backend == "lmdb":
            from caffe_fcn.formats.lmdb import LmdbReader as Kind
        else:
            from caffe_fcn.formats.leveldb import LevelDbReader as Kind  # type: ignore[assignment]
        reader = Kind(os.fspath(path))
        _open[backend, folder, _number(backend, folder)] = reader
    return reader


@contextlib.contextmanager
def new_database(backend: str, path: str | os.PathLike[str]) -> Iterator[RecordWriter]:
    """Yield a writer of a database that becomes the folder `path` when the block ends without an exception.

    Raises FileAccessError when `path` exists already or cannot be made, NotSupportedError without the library.
    """
    if backend not in BACKENDS:
        raise FormatError(f"unknown database backend '{backend}': use lmdb or leveldb")
    with _new_folder(os.fspath(path)) as folder:
        if backend == "lmdb":
            from caffe_fcn.formats.lmdb import LmdbWriter as Kind
        else:
            from caffe_fcn.formats.leveldb import LevelDbWriter as Kind  # type: ignore[assignment]
        writer = Kind(folder)
        try:
            records = RecordWriter(writer)
            yield records
            records.flush()
        finally:
            writer.close()


def _number(backend: str, folder: str) -> int:
    """Tells an open database from a later one of the same name: nothing else gets the number of an open file."""
    try:
        return os.stat(os.path.join(folder, HELD[backend])).st_ino
    except FileNotFoundError:  # a copied LevelDB has no LOCK until it is opened
        return 0


def _check_kind(backend: str, name: str, folder: str) -> None:
    if not os.path.exists(folder):
        raise MissingFileError(f"there is no database '{name}' (looked from '{os.getcwd()}')", name)
    if not os.path.isdir(folder):
        raise FormatError(f"'{name}' is not a database: a {backend} database is a folder")
    if os.path.exists(os.path.join(folder, MARKS[backend])):
        return
    for other in BACKENDS:
        if other != backend and os.path.exists(os.path.join(folder, MARKS[other])):
            raise FormatError(f"'{name}' is a database of the kind {other}, not {backend}: in the "
                              f"prototxt set backend to {other.upper()} (LEVELDB is the default), for a command "
                              f"--backend={other}")
    raise FormatError(f"'{name}' holds no {backend} database: it has no file '{MARKS[backend]}'")


@contextlib.contextmanager
def _new_folder(path: str) -> Iterator[str]:
    """Yield an empty temporary folder beside `path` that is renamed to `path` in the end."""
    target = os.path.abspath(path)
    if os.path.lexists(target):
        raise FileAccessError(f"'{path}' exists already: delete it or choose another name", path)
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    try:
        os.mkdir(temporary)
        try:
            yield temporary
            os.rename(temporary, target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        if isinstance(error, CaffeFcnError):
            raise
        raise FileAccessError(f"cannot write the database '{path}': {error.strerror or error}", path) from error
