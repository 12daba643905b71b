"""Does an iteration cost what the net costs when a Python data layer takes 30 ms an image and the net 100 ms?

Measures the net without its data layer, then with it, with and without running it ahead. The layer waits (as for a
disk or a network), or decodes an image, which also takes processor time from the net.
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
PASSES = 20

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


def passes(net: caffe_fcn.Net, count: int = PASSES) -> list[float]:
    """Seconds of each of some forward passes, after two that are not counted."""
    seconds = []
    for _ in range(count + 2):
        start = time.perf_counter()
        net.forward()
        seconds.append(time.perf_counter() - start)
    return seconds[2:]


def main() -> int:
    here = Path(__file__).stem
    input_layer = ("layer { name: 'd' type: 'Input' top: 'data' "
                   f"input_param {{ shape {{ dim: 1 dim: 3 dim: {SIZE} dim: {SIZE} }} }} }}\n")
    python_layer = "layer { name: 'd' type: 'Python' top: 'data' python_param { module: '%s' layer: '%s' } }\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = statistics.median(passes(make_net(folder, input_layer, 20))) / 20
        count = max(1, round(COMPUTING / one))
        alone = passes(make_net(folder, input_layer, count))
        results: dict[str, object] = {"machine": machine("numpy", "numba"), "convolutions": count,
                                      "net alone": summary(alone)}
        print(f"net alone: {1000 * statistics.median(alone):.1f} ms, {count} convolutions")
        ratios = {}
        for layer in (Waiting, Decoding):
            for depth in (0, 3):
                net = make_net(folder, python_layer % (here, layer.__name__), count)
                caffe_fcn.prefetch(net, depth)
                measured = passes(net)
                key = f"{layer.__name__} {'ahead' if depth else 'in turn'}"
                ratios[key] = statistics.median(measured) / statistics.median(alone)
                results[key] = summary(measured) | {"ratio": ratios[key]}
                print(f"{key}: {1000 * statistics.median(measured):.1f} ms, {ratios[key]:.2f} x the net alone")
    print(f"wrote {write_results(here, results)}")
    return int(ratios["Waiting ahead"] > MOST)


if __name__ == "__main__":
    sys.exit(main())
