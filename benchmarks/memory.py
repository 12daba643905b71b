"""Peak memory of FCN-8s at full width, the first passes, and how time and memory grow with the image.

Every measurement has a process of its own, whose peak is its own, too. The net is 500 x 334 pixels unless told.

- forward, forward with `keep="outputs"`, training: peak resident memory
- the first pass after a change of the input's size, over a pass at that size later on
- the very first pass, which compiles (with an empty cache of kernels), and that of the next process
- time and peak memory of squares from 250 to 2000 pixels, outputs only, drawn in results/growth.svg

Usage: python benchmarks/memory.py [--threads 2] [--largest 2000]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fcn8s
import numpy as np
from common import machine, write_results
from interleaved import peak_memory
from training import DROPOUT, build_caffe

SIZES = (250, 500, 750, 1000, 1250, 1500, 1750, 2000)
HEIGHT, WIDTH = 334, 500


def _net(height: int, width: int, keep: str = "all") -> Any:
    import caffe

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.prototxt"
        file.write_text(fcn8s.prototxt(height, width), encoding="utf-8")
        net = caffe.Net(str(file), caffe.TEST, keep=keep)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = 1e-3  # not zero: all of its memory is touched
    _resize(net, height, width)
    return net


def _resize(net: Any, height: int, width: int) -> None:
    net.blobs["data"].reshape(1, 3, height, width)
    net.reshape()
    net.blobs["data"].data[...] = fcn8s.random_image(height, width)


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def forward(keep: str) -> dict[str, Any]:
    """Peak memory of a few passes, and their time."""
    net = _net(HEIGHT, WIDTH, keep)
    net.forward()
    seconds = [_timed(net.forward) for _ in range(5)]
    return {"peak_bytes": peak_memory(), "median_s": statistics.median(seconds), "min_s": min(seconds)}


def training() -> dict[str, Any]:
    """Peak memory of a few iterations. The recipe of training.py, whose random weights take memory for a moment."""
    iterate = build_caffe(HEIGHT, WIDTH, 0, DROPOUT)
    for _ in range(3):
        iterate()
    return {"peak_bytes": peak_memory()}


def resizing(rounds: int = 5) -> dict[str, Any]:
    """The first pass at another size over a later one at that size, in turns between two sizes and a third, larger."""
    net = _net(HEIGHT, WIDTH)
    net.forward()
    first, later = [], []
    for height, width in [(HEIGHT + 20 * i, WIDTH - 30 * (i % 2)) for i in range(1, rounds + 1)]:
        _resize(net, height, width)
        first.append(_timed(net.forward))
        later.append(min(_timed(net.forward) for _ in range(3)))
    ratios = [a / b for a, b in zip(first, later, strict=True)]
    return {"ratios": ratios, "ratio_median": statistics.median(ratios), "first_s": first, "later_s": later}


def first_pass() -> dict[str, Any]:
    """What the first pass takes more than the third: importing and making or reading kernels."""
    net = _net(HEIGHT, WIDTH)
    start = time.process_time()
    seconds = [_timed(net.forward) for _ in range(1)]
    processor = time.process_time() - start
    seconds += [_timed(net.forward) for _ in range(3)]
    start = time.process_time()
    net.forward()
    return {"first_s": seconds[0], "later_s": min(seconds[1:]), "more_s": seconds[0] - min(seconds[1:]),
            "more_processor_s": processor - (time.process_time() - start)}


def growth(size: int) -> dict[str, Any]:
    """Time and peak memory of a square image."""
    net = _net(size, size, "outputs")
    net.forward()
    return {"pixels": size * size, "s": min(_timed(net.forward) for _ in range(2 if size > 1000 else 3)),
            "peak_bytes": peak_memory()}


def _answer(work: Callable[..., Any], arguments: tuple[Any, ...], pipe: Any) -> None:
    pipe.send(work(*arguments))


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """What work(*arguments) returns in a new process."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_answer, args=(work, arguments, far))
    process.start()
    far.close()
    answer = near.recv()
    process.join()
    return answer


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw time and memory over pixels, with straight lines through them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    pixels = np.array([row["pixels"] for row in rows]) / 1e6
    for place, (key, unit, label) in enumerate((("s", 1, "seconds"), ("peak_bytes", 1e9, "peak memory, GB")), 1):
        values = np.array([row[key] for row in rows]) / unit
        axes = figure.add_subplot(1, 2, place)
        axes.plot(pixels, values, "o")
        axes.plot(pixels, np.polyval(np.polyfit(pixels, values, 1), pixels), "-", linewidth=1)
        axes.set_xlabel("million pixels")
        axes.set_ylabel(label)
        axes.set_ylim(0)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--largest", type=int, default=2000, help="side of the largest square")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    results: dict[str, Any] = {"image": [HEIGHT, WIDTH], "threads": options.threads}
    for name, work, *arguments in (("forward", forward, "all"), ("outputs_only", forward, "outputs"),
                                   ("training", training)):
        results[name] = alone(work, *arguments)
        print(f"{name}: peak {results[name]['peak_bytes'] / 1e9:.2f} GB")
    results["resizing"] = alone(resizing)
    print(f"first pass at a new size over a later one: {results['resizing']['ratio_median']:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        for name in ("first_pass_ever", "first_pass_of_next_process"):
            results[name] = alone(first_pass)
            print(f"{name}: {results[name]['more_s']:.1f} s more than a later one, "
                  f"{results[name]['more_processor_s']:.1f} s of processor time")
        del os.environ["NUMBA_CACHE_DIR"]
    rows = results["growth"] = [alone(growth, size) for size in SIZES if size <= options.largest]
    for row in rows:
        print(f"{row['pixels'] / 1e6:5.2f} million pixels: {row['s']:6.2f} s ({row['s'] / row['pixels'] * 1e6:.2f} per "
              f"million), peak {row['peak_bytes'] / 1e9:.2f} GB")
    path = write_results("memory", {**results, "machine": machine("caffe_fcn", "numpy", "numba")})
    plot(rows, path.with_name("growth.svg"))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
