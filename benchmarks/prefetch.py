"""Does an iteration cost what the net costs when a Python data layer takes 30 ms an image and the net 100 ms?

Measures the net without its data layer, and with it, with and without running it ahead. The layer waits (as for a disk
or a network), or decodes an image, which also takes processor time from the net. All take turns, so that a disturbance
meets each of them.
Exits with status 1 when the waiting layer, run ahead, makes an iteration more than 10 % longer.
"""

from __future__ import annotations

import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import machine, summary, write_results
from PIL import Image

import caffe_fcn

LOADING, COMPUTING = 0.030, 0.100  # seconds
SIZE, CHANNELS = 96, 32
MOST = 1.10
ROUNDS, PASSES, UNCOUNTED = 6, 5, 4  # the first passes of a round use up what was made ahead before it

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
    """A data layer and a row of convolutions."""
    text, bottom = data, "data"
    for i in range(convolutions):
        text += (f"layer {{ name: 'c{i}' type: 'Convolution' bottom: '{bottom}' top: 'c{i}' "
                 f"convolution_param {{ num_output: {CHANNELS} kernel_size: 3 pad: 1 }} }}\n")
        bottom = f"c{i}"
    return text


def make_net(folder: Path, data: str, convolutions: int) -> caffe_fcn.Net:
    """The net of that prototxt."""
    file = folder / "net.prototxt"
    file.write_text(prototxt(data, convolutions))
    return caffe_fcn.Net(file, caffe_fcn.TEST)


def passes(net: caffe_fcn.Net) -> list[float]:
    """Seconds of each of some forward passes, after those that are not counted."""
    seconds = []
    for _ in range(UNCOUNTED + PASSES):
        start = time.perf_counter()
        net.forward()
        seconds.append(time.perf_counter() - start)
    return seconds[UNCOUNTED:]


def make_nets(folder: Path) -> tuple[dict[str, caffe_fcn.Net], int]:
    """The nets to compare by name, and how many convolutions make each take about COMPUTING seconds."""
    shape = f"shape {{ dim: 1 dim: 3 dim: {SIZE} dim: {SIZE} }}"
    without = f"layer {{ name: 'd' type: 'Input' top: 'data' input_param {{ {shape} }} }}\n"
    count = max(1, round(20 * COMPUTING / min(passes(make_net(folder, without, 20)))))
    nets = {"net alone": make_net(folder, without, count)}
    for layer in (Waiting, Decoding):
        text = (f"layer {{ name: 'd' type: 'Python' top: 'data' python_param {{ module: '{Path(__file__).stem}' "
                f"layer: '{layer.__name__}' }} }}\n")
        for way, depth in (("in turn", 0), ("ahead", 3)):
            net = nets[f"{layer.__name__} {way}"] = make_net(folder, text, count)
            caffe_fcn.prefetch(net, depth)
    return nets, count


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        nets, count = make_nets(Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in nets}
        for _ in range(ROUNDS):
            for name, net in nets.items():
                seconds[name] += passes(net)
    alone = statistics.median(seconds["net alone"])
    ratios = {name: statistics.median(values) / alone for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name}: {1000 * statistics.median(values):.1f} ms, {ratios[name]:.2f} x the net alone")
    path = write_results(Path(__file__).stem, {
        "machine": machine("numpy", "numba"), "convolutions": count,
        **{name: summary(values) | {"ratio": ratios[name]} for name, values in seconds.items()}})
    print(f"wrote {path}")
    return int(ratios["Waiting ahead"] > MOST)


if __name__ == "__main__":
    sys.exit(main())
