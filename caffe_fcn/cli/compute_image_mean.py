"""Command `compute_image_mean [FLAGS] INPUT_DB [OUTPUT_FILE]`: the mean image of a database."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_fcn.cli.flags import Flag, run
from caffe_fcn.errors import FormatError
from caffe_fcn.formats import datum, mean
from caffe_fcn.formats.database import BACKENDS, open_reader

USAGE = """compute_image_mean [FLAGS] INPUT_DB [OUTPUT_FILE]

Prints the mean of each channel over all images of a database, and writes the mean image to OUTPUT_FILE, for
transform_param.mean_file. All images must have the same shape."""
FLAGS = {"backend": Flag("lmdb", "lmdb or leveldb")}
REPORT_EVERY = 10000  # images


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run(USAGE, FLAGS, range(1, 3), _compute, argv)


def _compute(flags: dict[str, Any], arguments: list[str]) -> int:
    result = mean_image(flags["backend"], arguments[0])
    if len(arguments) > 1:
        mean.write(arguments[1], result)
        print(f"Write to {arguments[1]}", file=sys.stderr)
    print(f"Number of channels: {len(result)}", file=sys.stderr)
    for channel, value in enumerate(result.mean(axis=(1, 2), dtype=np.float64)):
        print(f"mean_value channel [{channel}]: {value:g}", file=sys.stderr)
    return 0


def mean_image(backend: str, source: str) -> np.ndarray:
    """The mean (channels, height, width), float32, of all images of a database, added up in double precision.

    Raises what `open_reader` raises, and FormatError for records that are no images or differ in shape.
    """
    if backend not in BACKENDS:
        raise FormatError(f"unknown database backend '{backend}': use lmdb or leveldb")
    total: np.ndarray | None = None
    count = 0
    for count, (_, value) in enumerate(open_reader(backend, source).records(), 1):
        where = f"record {count - 1} of '{source}'"
        image = datum.to_array(datum.read(value, where), where)
        if total is None:
            total = np.zeros(image.shape)
        if image.shape != total.shape:
            raise FormatError(f"{where} has the shape {image.shape}, those before have {total.shape}; make the "
                              "database with --resize_height and --resize_width")
        total += image
        if count % REPORT_EVERY == 0:
            print(f"Processed {count} files.", file=sys.stderr)
    if total is None:
        raise FormatError(f"the database '{source}' has no records")
    return (total / count).astype(np.float32)
