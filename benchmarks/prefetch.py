"""Does an iteration cost what the net costs when a Python data layer takes 30 ms an image and the net 100 ms?

Trains a net without its data layer, and with it: run when its turn comes, and one batch ahead as solvers do by
themselves. The layer waits (as for a disk or a network), or decodes an image, which also takes processor time from the
net. A loop over `net.forward()` cannot run it ahead unasked; that is measured too, asked for. All take turns, so that a
disturbance meets each of them.
Exits with status 1 when the waiting layer, run ahead by the solver, makes an iteration more than 10 % longer.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from common import machine, summary, write_results
from PIL import Image

import caffe_fcn

LOADING, COMPUTING = 0.030, 0.100  # seconds
SIZE, CHANNELS = 96, 32
MOST = 1.10
ROUNDS, PASSES = 12, 12  # the first pass of a round is never ahead, and counts

buffer = io.BytesIO()
Image.fromarray(np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)).save(buffer, "JPEG")
JPEG = buffer.getvalue()


class Waiting(caffe_fcn.Layer):
    """Gives an image after LOADING seconds of waiting."""

    def setup(self, bottom, top):
        """Shape the top."""
        top[0].reshape(1, 3, SIZE, SIZE)

    def reshape(self, bottom, top):
        """Keep the shape."""

    def forward(self, bottom, top):
        """Load the image."""
        self.load()
        top[0].data[...] = 1

    def load(self):
        """Wait."""
        time.sleep(LOADING)


class Decoding(Waiting):
    """Decodes images for LOADING seconds."""

    def load(self):
        """Decode."""
        end = time.perf_counter() + LOADING
        while time.perf_counter() < end:
            np.asarray(Image.open(io.BytesIO(JPEG)))


def prototxt(data: str, convolutions: int) -> str:
    """A data layer, a row of convolutions and a loss."""
    text, bottom = data, "data"
    for i in range(convolutions):
        text += (f"layer {{ name: 'c{i}' type: 'Convolution' bottom: '{bottom}' top: 'c{i}' convolution_param {{ "
                 f"num_output: {CHANNELS} kernel_size: 3 pad: 1 weight_filler {{ type: 'msra' }} }} }}\n")
        bottom = f"c{i}"
    return text + f"layer {{ name: 'loss' type: 'Reduction' bottom: '{bottom}' top: 'loss' loss_weight: 1e-6 }}\n"


def make_solver(folder: Path, data: str, convolutions: int) -> caffe_fcn.Solver:
    """A solver of the net of that prototxt."""
    net, file = folder / "net.prototxt", folder / "solver.prototxt"
    net.write_text(prototxt(data, convolutions))
    file.write_text(f"net: '{net}' base_lr: 1e-6 lr_policy: 'fixed' snapshot_after_train: false")
    return caffe_fcn.get_solver(file)


def trained(solver: caffe_fcn.Solver) -> float:
    """Seconds of an iteration, as a mean over one call of step."""
    start = time.perf_counter()
    solver.step(PASSES)
    return (time.perf_counter() - start) / PASSES


def forwarded(solver: caffe_fcn.Solver) -> float:
    """Seconds of a pass, as a mean over a loop of forward passes."""
    start = time.perf_counter()
    for _ in range(PASSES):
        solver.net.forward()
    return (time.perf_counter() - start) / PASSES


def make_ways(folder: Path) -> tuple[dict[str, Callable[[], float]], dict[str, int]]:
    """What to measure by name, and how many convolutions make nets that take COMPUTING seconds, by kind of pass."""
    shape = f"shape {{ dim: 1 dim: 3 dim: {SIZE} dim: {SIZE} }}"
    without = f"layer {{ name: 'd' type: 'Input' top: 'data' input_param {{ {shape} }} }}\n"
    ways: dict[str, Callable[[], float]] = {}
    counts = {}
    for kind, measure in (("training", trained), ("forward", forwarded)):
        probe = make_solver(folder, without, 20)
        measure(probe)
        count = counts[kind] = max(1, round(20 * COMPUTING / min(measure(probe) for _ in range(3))))
        ways[f"{kind}, net alone"] = partial(measure, make_solver(folder, without, count))
        for layer in (Waiting, Decoding):
            text = (f"layer {{ name: 'd' type: 'Python' top: 'data' python_param {{ module: '{Path(__file__).stem}' "
                    f"layer: '{layer.__name__}' }} }}\n")
            for way in ("in turn", "ahead"):
                solver = make_solver(folder, text, count)
                if way == "in turn":
                    caffe_fcn.prefetch(solver.net, 0)
                elif kind == "forward":
                    caffe_fcn.prefetch(solver.net)
                ways[f"{kind}, {layer.__name__} {way}"] = partial(measure, solver)
    return ways, counts


def main() -> int:
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        ways, counts = make_ways(Path(folder))
        for _ in range(ROUNDS):
            for name, measure in ways.items():
                seconds.setdefault(name, []).append(measure())
    ratios = {}
    for name, values in seconds.items():
        alone = seconds[f"{name.partition(',')[0]}, net alone"]
        ratios[name] = statistics.median(value / other for value, other in zip(values, alone, strict=True))
        print(f"{name}: {1000 * statistics.median(values):.1f} ms, {ratios[name]:.2f} x the net alone")
    path = write_results(Path(__file__).stem, {
        "machine": machine("numpy", "numba"), "load": os.getloadavg()[1], "convolutions": counts,
        **{name: summary(values) | {"ratio": ratios[name]} for name, values in seconds.items()}})
    print(f"wrote {path}")
    return int(ratios["training, Waiting ahead"] > MOST)


if __name__ == "__main__":
    sys.exit(main())
