"""Where does a forward pass spend its time, next to what the processor allows?

For each layer: the least of some passes in wall time, and two limits: its multiplications, computed directly, at the
rate of NumPy's matrix product; the values that it reads and writes once each at the rate of copying an array.
Winograd's algorithm can beat the first limit.

Usage: python benchmarks/layers.py [--net "FCN-8s 500x334"] [--rounds 9] [--threads 2]
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, write_results

LEAST = 0.004  # of the whole time; layers below are put together


def _best(work: Callable[[], Any], rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def limits(threads: int) -> tuple[float, float]:
    """(operations per second of NumPy's matrix product, bytes read or written per second by copying) of all cores."""
    a = np.ones((4096, 4096), np.float32)
    out = np.empty_like(a)
    rate = 2 * 4096**3 / _best(lambda: np.matmul(a, a, out=out))
    source = np.ones((threads, 1 << 26), np.float32)
    target = np.zeros_like(source)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        seconds = _best(lambda: list(pool.map(np.copyto, target, source)))
    return rate, 2 * source.nbytes / seconds


def _work(net: Any, i: int) -> tuple[float, float]:
    """(operations, bytes) of a layer."""
    layer, bottoms, tops = (part[i] for part in (net._wiring.layers, net._wiring.bottoms, net._wiring.tops))
    moved = 4.0 * sum(blob.count for blob in {id(b): b for b in (*bottoms, *tops, *layer.blobs)}.values())
    if layer.type in ("Convolution", "InnerProduct"):
        return 2.0 * tops[0].count * layer.blobs[0].count / layer.blobs[0].shape[0], moved
    if layer.type == "Deconvolution":
        return 2.0 * bottoms[0].count * layer.blobs[0].count / layer.blobs[0].shape[0], moved
    if tops and any(top is bottom for top in tops for bottom in bottoms):
        moved *= 2
    return 0.0, moved


def measure(name: str, rounds: int) -> list[dict[str, Any]]:
    """One row per layer: name, type, least seconds, operations, bytes."""
    from nets import CASES, image, write_files

    import caffe

    with tempfile.TemporaryDirectory() as folder:
        net_file, weights = write_files(CASES[name], Path(folder))
        net = caffe.Net(str(net_file), str(weights), caffe.TEST)
    net.blobs["data"].data[...] = image(CASES[name])
    net.forward()
    best = [float("inf")] * len(net.layers)
    start = 0.0

    def before(i: int) -> None:
        nonlocal start
        start = time.perf_counter()

    def after(i: int) -> None:
        best[i] = min(best[i], time.perf_counter() - start)

    net.before_forward(before)
    net.after_forward(after)
    for _ in range(rounds):
        net.forward()
    return [{"layer": net._layer_names[i], "type": layer.type, "s": best[i],
             **dict(zip(("operations", "bytes"), _work(net, i), strict=True))} for i, layer in enumerate(net.layers)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="FCN-8s 500x334")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    rate, bandwidth = limits(options.threads)
    rows = measure(options.net, options.rounds)
    total = sum(row["s"] for row in rows)
    print(f"matrix product {rate / 1e9:.0f} GFLOP/s, copying {bandwidth / 1e9:.1f} GB/s, {options.net}: "
          f"{1000 * total:.1f} ms\n")
    print("| layer | ms | GFLOP directly | GFLOP/s | at the product's rate, ms | MB | at the rate of copying, ms |")
    print("|---|---|---|---|---|---|---|")
    small: dict[str, Any] = {"layer": "all others", "s": 0.0, "operations": 0.0, "bytes": 0.0}
    for row in rows:
        if row["s"] < LEAST * total:
            for key in ("s", "operations", "bytes"):
                small[key] += row[key]
    for row in [*(row for row in rows if row["s"] >= LEAST * total), small]:
        work = row["operations"]
        direct = (f"{work / 1e9:.1f} | {work / row['s'] / 1e9:.0f} | {1000 * work / rate:.1f}" if work > 1e7
                  else " | | ")
        print(f"| {row['layer']} | {1000 * row['s']:.1f} | {direct} | {row['bytes'] / 1e6:.0f} | "
              f"{1000 * row['bytes'] / bandwidth:.1f} |")
    path = write_results("layers", {"net": options.net, "product_per_s": rate, "copied_bytes_per_s": bandwidth,
                                    "layers": rows, "machine": machine("caffe_fcn", "numpy", "numba")})
    print(f"\nwritten to {path}")


if __name__ == "__main__":
    main()
