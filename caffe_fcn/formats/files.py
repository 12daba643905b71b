"""Opening files that a user names: one clear exception for each way in which that fails."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterable

from caffe_fcn.errors import FileAccessError, MissingFileError


def existing_file(path: str | os.PathLike[str]) -> str:
    """`path` as a string, if it names a regular file.

    Raises MissingFileError when nothing is there and FileAccessError for a folder, a pipe or a device (reading a pipe
    could wait for ever).
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"there is no file '{name}' (looked from '{os.getcwd()}')", name) from error
    except (OSError, ValueError) as error:
        raise FileAccessError(f"cannot read '{name}': {getattr(error, 'strerror', None) or error}", name) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise FileAccessError(f"cannot read '{name}': it is {kind}", name)
    return name


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it, where they are not there yet. Raises FileAccessError."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise FileAccessError(f"cannot make the folder '{os.fspath(path)}': {error.strerror or error}", path,
                              error.errno) from error


def check_apart(
    outputs: Iterable[str | os.PathLike[str]], inputs: Iterable[str | os.PathLike[str]] = ()
) -> None:
    """Raise FileAccessError if a file that is to be written is one that is read, or is to be written twice."""
    taken = {os.path.realpath(path) for path in inputs}
    for path in outputs:
        if (target := os.path.realpath(path)) in taken:
            raise FileAccessError(f"cannot write '{os.fspath(path)}': it is another file of the same command; give it "
                                  "another name", path)
        taken.add(target)


def map_file(path: str | os.PathLike[str]) -> mmap.mmap | bytes:
    """The bytes of a file, read-only and read from the disk only where they are looked at (``b""`` if empty).

    Raises as :func:`existing_file`, and FileAccessError when the system refuses.
    """
    name = existing_file(path)
    try:
        with open(name, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return b""
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise FileAccessError(f"cannot read '{name}': {error.strerror or error}", name, error.errno) from error
