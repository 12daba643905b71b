"""Files that are either the old ones or the new ones, never half of each.

Data goes to a temporary name in the same folder, is synced to the disk and renamed over the target; the
folder is synced last, so that the rename survives a power cut too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO

from caffe_fcn.errors import CaffeFcnError, FileAccessError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a binary file that becomes `path` when the block ends without an exception.

    A symbolic link is followed, the permissions of an existing file are kept, and a device or a pipe
    (``/dev/null``) is written directly. Raises FileAccessError when the folder is missing or not writable, when
    `path` is a folder, or when the disk is full; the old file is then untouched.
    """
    with atomic_path(path) as name, open(name, "wb") as file:
        yield file


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the name of an empty temporary file that becomes `path` when the block ends without an exception.

    For libraries that insist on opening the file themselves; otherwise as :func:`atomic_write`.
    """
    target = os.path.realpath(path)
    with _clear_errors(path):
        mode = _writable_mode(target)
        if mode is None or stat.S_ISREG(mode):
            with _renamed(target, mode) as temporary:
                yield temporary
        else:
            yield target


@contextlib.contextmanager
def _renamed(target: str, mode: int | None) -> Iterator[str]:
    folder = os.path.dirname(target)
    temporary = os.path.join(folder, f".{secrets.token_hex(8)}.tmp")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        _sync(temporary, os.O_RDWR)
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if os.name == "posix":
        _sync(folder, os.O_RDONLY)


def _writable_mode(target: str) -> int | None:
    """The mode of `target`, None when it does not exist yet; renaming over it must not be a way around its mode."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only")
    return mode


def _sync(name: str, flags: int) -> None:
    handle = os.open(name, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _clear_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the system's own OSError into one that names `path`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, CaffeFcnError):
            raise
        raise FileAccessError(
            f"cannot write '{os.fspath(path)}': {error.strerror or error}", path, error.errno
        ) from error
