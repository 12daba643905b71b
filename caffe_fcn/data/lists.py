"""Text files that name data: image lists, and lists of other files."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from caffe_fcn.errors import FileAccessError, PrototxtError
from caffe_fcn.formats.files import existing_file

SHOWN = 60  # characters of a bad line
LARGEST = 2**31 - 1  # label that a Datum can hold


class ImageLine(NamedTuple):
    """One line of an image list: its place as ``file:line``, the image's name, the label."""

    where: str
    name: str
    label: int


class PairLine(NamedTuple):
    """One line of a list of pairs: its place as ``file:line``, the image's name, the name or number of its labels."""

    where: str
    name: str
    labels: str


def read_text(path: str | os.PathLike[str]) -> str:
    """A text file; bytes that are no UTF-8 are kept, as they may be part of file names.

    Raises MissingFileError and FileAccessError.
    """
    name = existing_file(path)
    try:
        with open(name, encoding="utf-8-sig", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        raise FileAccessError(f"cannot read '{name}': {error.strerror or error}", name, error.errno) from error


def image_list(path: str | os.PathLike[str]) -> list[ImageLine]:
    """The lines ``name label`` of an image list; the label, a whole number, follows the last blank.

    Empty lines are skipped. Raises PrototxtError with the line for any other, and for a list without images.
    """
    file = os.fspath(path)
    found = []
    for number, line in enumerate(read_text(file).split("\n"), 1):
        line = line.strip()
        if not line:
            continue
        name, _, label = line.rpartition(" ")
        if not name.strip() or not re.fullmatch(r"[+-]?[0-9]{1,10}", label) or abs(int(label)) > LARGEST:
            raise PrototxtError("expected an image and its label, a whole number (32 bits), with a blank between; got "
                                f"{_shown(line)}", file, number)
        found.append(ImageLine(f"{file}:{number}", name.rstrip(), int(label)))
    if not found:
        raise PrototxtError("lists no images", file)
    return found


def pair_list(path: str | os.PathLike[str], words: int = 2) -> list[PairLine]:
    """The lines ``name labels`` of a list of pairs, which white space separates; with words=1 the second may lack.

    Empty lines are skipped. Raises PrototxtError with the line for any other, and for a list without images.
    """
    file = os.fspath(path)
    found = []
    for number, line in enumerate(read_text(file).split("\n"), 1):
        parts = line.split()
        if not parts:
            continue
        if not words <= len(parts) <= 2:
            raise PrototxtError("expected an image and its labels with white space between, and none in the names; got "
                                f"{_shown(line)}", file, number)
        found.append(PairLine(f"{file}:{number}", *(parts + [""])[:2]))
    if not found:
        raise PrototxtError("lists no images", file)
    return found


def file_list(path: str | os.PathLike[str]) -> list[str]:
    """The names in a list of files, which any white space separates. Raises PrototxtError when there are none."""
    names = read_text(path).split()
    if not names:
        raise PrototxtError("lists no files", os.fspath(path))
    return names


def _shown(line: str) -> str:
    return ascii(line[:SHOWN] + ("..." if len(line) > SHOWN else ""))
