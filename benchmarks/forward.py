"""How long is the forward pass of FCN-8s at full width, next to PyTorch on the same processor?

Each engine lives in a process of its own, with the same random weights and image; the passes alternate, so that a busy
machine slows both alike. The scores are compared before anything is timed.

Usage: python benchmarks/forward.py [--height 500] [--width 334] [--rounds 7] [--threads 2]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fcn8s
import numpy as np
from common import machine, write_results
from interleaved import Engines, compared, report


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


def torch_net(height: int, width: int, threads: int) -> tuple[Callable[[], Any], dict[str, list[Any]]]:
    """The same net in PyTorch's functional calls, in its fastest memory layout for convolutions: (scores, params)."""
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

    def scores() -> torch.Tensor:
        blobs = {"data": image}
        for pool, stage in fcn8s.STAGES:
            for conv in stage:
                convolve(blobs, conv)
            blobs[pool] = functional.max_pool2d(blobs[stage[-1].name], 2, 2, ceil_mode=True)
        for conv in fcn8s.HEAD + fcn8s.SKIPS:
            convolve(blobs, conv)
        for deconv in fcn8s.UPSAMPLING:
            upsample(blobs, deconv)
        return blobs["score"]

    return scores, params


def build_torch(height: int, width: int, threads: int) -> Callable[[], np.ndarray]:
    """The forward pass of PyTorch; it returns the scores."""
    import torch

    scores, _ = torch_net(height, width, threads)

    def forward() -> np.ndarray:
        with torch.inference_mode():
            return scores().numpy()

    return forward


BUILDERS = {"caffe_fcn": build_caffe, "torch": build_torch}


def measure(height: int, width: int, rounds: int, threads: int) -> dict[str, Any]:
    """Start the engines, compare their scores, time `rounds` alternating passes."""
    engines = Engines(BUILDERS, (height, width, threads), threads)
    difference = engines.difference()
    return {
        "net": "voc-fcn8s, full width",
        "image": [height, width],
        "threads": threads,
        "largest_difference_of_scores": difference,
        **compared(engines.time(rounds)),
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
    report(results, ("caffe_fcn", "torch"))
    print(f"scores differ by at most {results['largest_difference_of_scores']:.1e} of the largest; written to {path}")


if __name__ == "__main__":
    main()
