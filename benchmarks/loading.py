"""How long does it take to build FCN-8s and to read its 538 MB of weights, with the file in the disk cache?

The floor is one plain read of the file into memory.

Usage: python benchmarks/loading.py [--rounds 5] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import fcn8s
import numpy as np
from common import machine, summary, write_results

import caffe


def write_files(folder: Path) -> tuple[str, str]:
    """Write the net and a weight file with random values; returns both paths."""
    net_file, weight_file = folder / "deploy.prototxt", folder / "fcn8s.caffemodel"
    net_file.write_text(fcn8s.prototxt(500, 334), encoding="utf-8")
    net = caffe.Net(str(net_file), caffe.TEST)
    fcn8s.set_weights(net)
    net.save(str(weight_file))
    return str(net_file), str(weight_file)


def measure(net_file: str, weight_file: str, rounds: int) -> dict[str, Any]:
    """Time building, reading and both, `rounds` times each, after one pass that warms the cache."""
    seconds: dict[str, list[float]] = {"plain_read": [], "build": [], "read_weights": [], "build_and_read": []}
    for turn in range(rounds + 1):
        marks = [time.perf_counter()]
        np.fromfile(weight_file, np.uint8)
        marks.append(time.perf_counter())
        net = caffe.Net(net_file, caffe.TEST)
        marks.append(time.perf_counter())
        net.copy_from(weight_file)
        marks.append(time.perf_counter())
        del net
        if turn:
            spans = np.diff(marks)
            for name, span in zip(("plain_read", "build", "read_weights"), spans, strict=True):
                seconds[name].append(float(span))
            seconds["build_and_read"].append(float(spans[1] + spans[2]))
    return {name: summary(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where the weight file is written for the time of the run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        net_file, weight_file = write_files(Path(folder))
        size = Path(weight_file).stat().st_size
        results = measure(net_file, weight_file, options.rounds)
    for name, values in results.items():
        print(f"{name:15} median {values['median_s'] * 1000:8.1f} ms")
    path = write_results("loading", {"bytes": size, **results, "machine": machine("caffe_fcn", "numpy", "protobuf")})
    print(f"{size / 1e6:.0f} MB of weights; written to {path}")


if __name__ == "__main__":
    main()
