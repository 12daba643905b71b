"""How long is a forward pass, next to OpenVINO, ONNX Runtime, OpenCV and PyTorch on the same processor?

Each engine lives in a process of its own, with the same weights and image. They take turns, so that a busy machine
slows all alike. Their outputs are compared before anything is timed.

Usage: python benchmarks/forward.py [--nets SUBSTRING ...] [--engines NAME ...] [--rounds 7] [--threads 2]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from common import machine, write_results
from engines import ENGINES, make_files
from interleaved import Engines, compared, report
from nets import CASES, image, write_files

PACKAGES = ("caffe_fcn", "numpy", "numba", "openvino", "onnxruntime", "opencv-python-headless", "torch")


def measure(name: str, engines: list[str], rounds: int, threads: int) -> dict[str, Any]:
    """Start the engines for one net, compare their outputs, time `rounds` alternating turns."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        files = make_files(*write_files(case, Path(folder)), image(case))
        running = Engines({engine: ENGINES[engine] for engine in engines}, (files, threads), threads)
        differences = running.differences()
        result = compared(running.time(rounds))
    return {**result, "peak_bytes": running.peaks, "differences": differences, "failures": running.failures}


def plot(results: dict[str, Any], path: Path) -> None:
    """Draw each engine's median over this package's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.add_subplot()
    for index, engine in enumerate(ENGINES):
        found = [(place, result["engines"][engine]["median_s"] / result["engines"]["caffe_fcn"]["median_s"])
                 for place, result in enumerate(results.values()) if engine in result["engines"]]
        if found:
            places, ratios = zip(*found, strict=True)
            axes.bar([place + 0.16 * (index - 2) for place in places], ratios, 0.15, label=engine)
    axes.set_xticks(range(len(results)), list(results), fontsize=8)
    axes.set_ylabel("time of a forward pass\n(caffe_fcn = 1)")
    axes.legend(fontsize=8)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", default=[""], help="those whose names contain one of these")
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    results = {}
    for name in CASES:
        if any(part.lower() in name.lower() for part in options.nets):
            results[name] = measure(name, options.engines, options.rounds, options.threads)
            report(name, results[name])
    about = {"threads": options.threads, "machine": machine(*PACKAGES)}
    path = write_results("forward", {"nets": results, **about})
    plot(results, path.with_suffix(".svg"))
    print(f"\nwritten to {path} and {path.with_suffix('.svg').name}")


if __name__ == "__main__":
    main()
