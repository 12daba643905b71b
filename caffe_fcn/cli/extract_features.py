"""Command `extract_features`: what blobs of a net hold, for many batches, as databases."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_fcn.cli.flags import UsageError, run
from caffe_fcn.formats.database import BACKENDS, new_database
from caffe_fcn.mode import set_device, set_mode_gpu
from caffe_fcn.net import Net
from caffe_fcn.pycaffe.io import array_to_datum

USAGE = """extract_features WEIGHTS NET BLOB[,BLOB...] DB[,DB...] BATCHES DB_TYPE [CPU|GPU] [DEVICE_ID=0]

Runs the net (a prototxt with data layers, phase TEST, with the weights of a caffemodel) for BATCHES batches and writes
each image's part of each blob as a record of the blob's database, lmdb or leveldb (DB_TYPE)."""
TEST = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run(USAGE, {}, range(6, 9), _extract, argv)


def _extract(_: dict[str, Any], arguments: list[str]) -> int:
    weights, file, blobs, databases, batches, backend, *device = arguments
    names, folders = blobs.split(","), databases.split(",")
    if len(names) != len(folders):
        raise UsageError(f"{len(names)} blob(s) and {len(folders)} database(s) are named; each blob needs one")
    if len(set(folders)) < len(folders):
        raise UsageError(f"each database needs a name of its own, got {databases}")
    if backend not in BACKENDS:
        raise UsageError(f"DB_TYPE is lmdb or leveldb, got '{backend}'")
    if not batches.isdecimal():
        raise UsageError(f"the number of batches must be a whole number, got '{batches}'")
    _choose_device(device)
    net = Net(file, TEST, weights=weights)
    unknown = [name for name in names if name not in net.blobs]
    if unknown:
        raise UsageError(f"the net has no blob '{unknown[0]}'; it has {', '.join(net.blobs)}")
    for name, count in extract(net, names, folders, int(batches), backend).items():
        print(f"Extracted features of {count} query images for feature blob {name}", file=sys.stderr)
    return 0


def extract(net: Net, names: Sequence[str], folders: Sequence[str], batches: int, backend: str) -> dict[str, int]:
    """Run `net` and write each blob's rows as Datums with floats, keys 0000000000, 0000000001 ...; rows by blob.

    Raises FileAccessError for a database that exists already; then, and on any other error, none is written.
    """
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(new_database(backend, folder)) for folder in folders]
        for _ in range(batches):
            net.forward()
            for name, writer in zip(names, writers, strict=True):
                blob = net.blobs[name]
                rows = np.reshape(blob.data, (blob.num, blob.channels, blob.height, blob.width))
                for row in rows:
                    writer.put(f"{writer.count:010d}", array_to_datum(row).SerializeToString())
        return {name: writer.count for name, writer in zip(names, writers, strict=True)}


def _choose_device(words: Sequence[str]) -> None:
    """Apply the optional `CPU`, or `GPU` and `DEVICE_ID=n`."""
    if not words or words[0] == "CPU":
        return
    number = words[1].removeprefix("DEVICE_ID=") if len(words) > 1 else "0"
    if words[0] != "GPU" or not number.isdecimal():
        raise UsageError(f"the device is 'CPU', 'GPU' or 'GPU DEVICE_ID=0', got '{' '.join(words)}'")
    set_device(int(number))
    set_mode_gpu()
