"""How long is the forward pass of FCN-8s at full width, next to PyTorch on the same processor?

Each engine lives in a process of its own, with the same random weights and image; the passes alternate, so that a busy
machine slows both alike. The scores are compared before anything is timed.

Usage: python benchmarks/forward.py [--height 500] [--width 334] [--rounds 7] [--threads 2]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import fcn8s
import numpy as np
from common import machine, summary, write_results


def build_caffe(height: int, width: int, threads: int) -> Callable[[], np.ndarray]:
    """The forward pass of this package; it returns the scores, (1, 21, height, width)."""
    import caffe

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "deploy.prototxt"
        file.write_text(fcn8s.prototxt(height, width), encoding="utf-8")
        net = caffe.Net(str(file), caffe.TEST)
    for name, values in fcn8s.random_weights().items():
        for blob, value in zip(net.params[name], values, strict=True):
            blob.data[...] = value
    net.blobs["data"].data[...] = fcn8s.random_image(height, width)

    def forward() -> np.ndarray:
        return net.forward()["score"]

    return forward


def build_torch(height: int, width: int, threads: int) -> Callable[[], np.ndarray]:
    """The same net in PyTorch's functional calls, in its fastest memory layout for convolutions."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    layout = torch.channels_last

    def tensor(value: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(value).to(memory_format=layout if value.ndim == 4 else torch.preserve_format)

    params = {name: [tensor(value) for value in values] for name, values in fcn8s.random_weights().items()}
    image = tensor(fcn8s.random_image(height, width))

    def convolve(blobs: dict, conv: fcn8s.Conv) -> None:
        top = functional.conv2d(blobs[conv.bottom], *params[conv.name], padding=conv.pad)
        blobs[conv.name] = top.relu_() if conv.relu else top

    def crop(blob: torch.Tensor, like: torch.Tensor, offset: int) -> torch.Tensor:
        rows, columns = like.shape[2:]
        return blob[:, :, offset : offset + rows, offset : offset + columns]

    def upsample(blobs: dict, deconv: fcn8s.Deconv) -> None:
        top = functional.conv_transpose2d(blobs[deconv.bottom], *params[deconv.name], stride=deconv.stride)
        if deconv.skip is None:
            blobs[deconv.top] = crop(top, blobs["data"], deconv.offset).contiguous()
        else:
            blobs[deconv.top] = top + crop(blobs[deconv.skip], top, deconv.offset)

    def forward() -> np.ndarray:
        blobs = {"data": image}
        with torch.inference_mode():
            for pool, stage in fcn8s.STAGES:
                for conv in stage:
                    convolve(blobs, conv)
                blobs[pool] = functional.max_pool2d(blobs[stage[-1].name], 2, 2, ceil_mode=True)
            for conv in fcn8s.HEAD + fcn8s.SKIPS:
                convolve(blobs, conv)
            for deconv in fcn8s.UPSAMPLING:
                upsample(blobs, deconv)
        return blobs["score"].numpy()

    return forward


BUILDERS = {"caffe_fcn": build_caffe, "torch": build_torch}


def serve(engine: str, height: int, width: int, threads: int, pipe: Connection) -> None:
    """Send the scores of a first pass, then the seconds of one more pass for each request, until told to stop."""
    forward = BUILDERS[engine](height, width, threads)
    pipe.send(forward())
    while pipe.recv():
        start = time.perf_counter()
        forward()
        pipe.send(time.perf_counter() - start)


def measure(height: int, width: int, rounds: int, threads: int) -> dict[str, Any]:
    """Start the engines, compare their scores, time `rounds` alternating passes."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(threads)  # the processes below inherit it before they load any library
    context = multiprocessing.get_context("spawn")
    pipes, processes, scores = {}, [], {}
    for engine in BUILDERS:
        pipes[engine], far_end = context.Pipe()
        process = context.Process(target=serve, args=(engine, height, width, threads, far_end), daemon=True)
        process.start()
        far_end.close()  # so that a dead process shows as the end of the pipe
        processes.append(process)
        scores[engine] = pipes[engine].recv()
    ours, theirs = scores["caffe_fcn"], scores["torch"]
    difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    if ours.shape != theirs.shape or not difference < 1e-3:
        raise SystemExit(f"The engines disagree: shapes {ours.shape} and {theirs.shape}, difference {difference:.2e}")
    seconds: dict[str, list[float]] = {engine: [] for engine in BUILDERS}
    for _ in range(rounds):
        for engine, pipe in pipes.items():
            pipe.send(True)
            seconds[engine].append(pipe.recv())
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send(False)
        process.join()
    results = {engine: summary(values) for engine, values in seconds.items()}
    return {
        "net": "voc-fcn8s, full width",
        "image": [height, width],
        "threads": threads,
        "largest_difference_of_scores": difference,
        **results,
        "ratio_of_medians": results["caffe_fcn"]["median_s"] / results["torch"]["median_s"],
        "ratio_of_fastest": results["caffe_fcn"]["min_s"] / results["torch"]["min_s"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=500)
    parser.add_argument("--width", type=int, default=334)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    results = measure(options.height, options.width, options.rounds, options.threads)
    results["machine"] = machine("caffe_fcn", "numpy", "numba", "torch")
    path = write_results("forward", results)
    for engine in BUILDERS:
        times = results[engine]
        print(f"{engine:10} median {times['median_s']:.3f} s, from {times['min_s']:.3f} to {times['max_s']:.3f} s")
    ratios = f"{results['ratio_of_medians']:.2f} (medians), {results['ratio_of_fastest']:.2f} (fastest passes)"
    print(f"time of caffe_fcn over that of torch: {ratios}")
    if any(results[engine]["max_s"] > 1.5 * results[engine]["min_s"] for engine in BUILDERS):
        print("The passes differ by more than half: the machine was busy, so do not trust the medians.")
    print(f"scores differ by at most {results['largest_difference_of_scores']:.1e} of the largest; written to {path}")


if __name__ == "__main__":
    main()
