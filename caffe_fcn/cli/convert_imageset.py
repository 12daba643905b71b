"""Command `convert_imageset [FLAGS] ROOTFOLDER/ LISTFILE DB_NAME`: images of a list become a database."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from caffe_fcn.cli.flags import Flag, run
from caffe_fcn.data.lists import ImageLine, image_list
from caffe_fcn.errors import CaffeFcnError, FormatError
from caffe_fcn.formats.database import new_database
from caffe_fcn.formats.images import encode, read_image, resize
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.pycaffe.io import array_to_datum

USAGE = """convert_imageset [FLAGS] ROOTFOLDER/ LISTFILE DB_NAME

Makes the database DB_NAME of the images of LISTFILE, which has a name and a whole number in each line; ROOTFOLDER/ is
put before each name. Images that cannot be read are reported and left out; the exit status is then 1."""
FLAGS = {
    "gray": Flag(False, "read images as grey values"),
    "shuffle": Flag(False, "put the images in a random order"),
    "backend": Flag("lmdb", "lmdb or leveldb"),
    "resize_width": Flag(0, "resize to this width (with resize_height)"),
    "resize_height": Flag(0, "resize to this height (with resize_width)"),
    "check_size": Flag(False, "stop unless all images have the same number of values"),
    "encoded": Flag(False, "store image files instead of their values"),
    "encode_type": Flag("", "format to store images in (png, jpg ...); unless given, that of each file"),
}
REPORT_EVERY = 1000  # records


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run(USAGE, FLAGS, range(3, 4), _convert, argv)


def _convert(flags: dict[str, Any], arguments: list[str]) -> int:
    folder, list_file, database = arguments
    lines = image_list(list_file)
    if flags["shuffle"]:
        random.shuffle(lines)
    print(f"A total of {len(lines)} images.", file=sys.stderr)
    left_out: list[str] = []
    with new_database(flags["backend"], database) as writer:
        for key, datum in _records(lines, folder, flags, left_out):
            writer.put(key, datum.SerializeToString())
            if writer.count % REPORT_EVERY == 0:
                print(f"Processed {writer.count} files.", file=sys.stderr)
        if not writer.count:
            raise FormatError(f"none of the images of '{list_file}' can be read; no database was made")
    print(f"Processed {writer.count} files{f', left out {len(left_out)}' if left_out else ''}.", file=sys.stderr)
    return 1 if left_out else 0


def _records(
    lines: Sequence[ImageLine], folder: str, flags: dict[str, Any], left_out: list[str]
) -> Iterator[tuple[str, Any]]:
    """Yield (key, Datum) of each image; report those that cannot be read, and collect them in `left_out`."""
    values = None
    for index, line in enumerate(lines):
        try:
            datum = make_datum(line, folder + line.name, flags)
        except (CaffeFcnError, OSError) as error:
            print(f"convert_imageset: {error}", file=sys.stderr)
            left_out.append(line.name)
            continue
        if flags["check_size"]:
            size = len(datum.data)
            if values not in (None, size):
                raise FormatError(f"{line.where}: '{line.name}' has {size} bytes, the images before it have {values} "
                                  "(--check_size wants them equal)")
            values = size
        yield f"{index:08d}_{line.name}", datum


def make_datum(line: ImageLine, path: str, flags: dict[str, Any]) -> Any:
    """The Datum of one image. Raises as `read_image` and `encode`.

    The file's own bytes are stored, whatever its colours, if no resizing is asked for and its format is the wanted
    one: the original does so even with --gray.
    """
    height, width = max(0, flags["resize_height"]), max(0, flags["resize_width"])
    image = read_image(path, line.where, color=not flags["gray"])
    if height and width:
        image = resize(image, height, width)
    own = PurePath(line.name).suffix.lstrip(".").lower()
    wanted = flags["encode_type"].lower() or (own if flags["encoded"] else "")
    if not wanted:
        datum = array_to_datum(image, line.label)
        datum.encoded = False
        return datum
    if not height and not width and _same_format(own, wanted):
        with open(path, "rb") as file:
            return caffe_pb2.Datum(data=file.read(), label=line.label, encoded=True)
    return caffe_pb2.Datum(data=encode(image, wanted), label=line.label, encoded=True)


def _same_format(one: str, other: str) -> bool:
    return one == other or {one, other} <= {"jpg", "jpeg"}
