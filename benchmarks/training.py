"""How long is an iteration of training FCN-8s at full width, next to PyTorch on the same processor?

An iteration is forward with dropout, backward and the update by gradient descent with momentum and weight decay, on one
image. The bilinear upsampling is not trained, as published. Before that, the first losses are compared where the
dropout layers drop nothing.

Usage: python benchmarks/training.py [--height 500] [--width 334] [--rounds 5] [--threads 2]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import fcn8s
import numpy as np
from common import machine, write_results
from interleaved import Engines, compared, report

SCALE = 1e-3  # of the weights of the scores, so that probabilities stay above the smallest that Caffe's loss counts
DROPOUT = 0.5  # after fc6 and fc7
RATE, MOMENTUM, DECAY = 1e-10, 0.99, 0.0005  # of the published solver; the loss is a sum over pixels
SCORES = [conv.name for conv in fcn8s.convolutions() if conv.name.startswith("score")]


def random_labels(height: int, width: int) -> np.ndarray:
    """A class per pixel, (1, height, width), with some pixels to ignore (255)."""
    labels = np.random.default_rng(2).integers(0, fcn8s.CLASSES, (1, height, width))
    labels[:, ::7] = 255
    return labels


def train_prototxt(height: int, width: int, dropout: float) -> str:
    """The deploy net with dropout of this ratio, labels and a loss; upsampling has learning rate 0."""
    labels = f"input_param {{ shape {{ dim: 1 dim: 1 dim: {height} dim: {width} }} }}"
    text = fcn8s.prototxt(height, width).replace('type: "Deconvolution"', 'type: "Deconvolution" param { lr_mult: 0 }')
    for name in ("fc6", "fc7"):
        relu = f'layer {{ name: "relu_{name}" type: "ReLU" bottom: "{name}" top: "{name}"  }}\n'
        before, after = text.split(relu)
        drop = relu.replace("relu", "drop").replace("ReLU", "Dropout")
        drop = drop.replace("  }", f" dropout_param {{ dropout_ratio: {dropout} }} }}")
        text = before + relu + drop + after
    return (
        text
        + f"""
layer {{ name: "label" type: "Input" top: "label" {labels} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_param {{ ignore_label: 255 normalize: false }} }}
"""
    )


def build_caffe(height: int, width: int, threads: int, dropout: float) -> Callable[[], np.ndarray]:
    """An iteration of this package's solver; it returns the loss before the update."""
    import caffe

    with tempfile.TemporaryDirectory() as folder:
        net_file, solver_file = Path(folder) / "train.prototxt", Path(folder) / "solver.prototxt"
        net_file.write_text(train_prototxt(height, width, dropout), encoding="utf-8")
        solver_file.write_text(
            f"""net: "{net_file}" lr_policy: "fixed" base_lr: {RATE} momentum: {MOMENTUM}
            weight_decay: {DECAY} max_iter: 1000""",
            encoding="utf-8",
        )
        solver = caffe.SGDSolver(str(solver_file))
    for name, values in fcn8s.random_weights().items():
        for blob, value in zip(solver.net.params[name], values, strict=True):
            blob.data[...] = value * SCALE if name in SCORES else value
    solver.net.blobs["data"].data[...] = fcn8s.random_image(height, width)
    solver.net.blobs["label"].data[:, 0] = random_labels(height, width)

    def iterate() -> np.ndarray:
        solver.step(1)
        return solver.net.blobs["loss"].data.reshape(1).copy()

    return iterate


def build_torch(height: int, width: int, threads: int, dropout: float) -> Callable[[], np.ndarray]:
    """The same in PyTorch, with its fused update."""
    import torch
    from fcn8s_torch import torch_net
    from torch.nn import functional

    scores, params = torch_net(height, width, threads, dropout)
    for name in SCORES:
        for value in params[name]:
            value.mul_(SCALE)
    fixed = {deconv.name for deconv in fcn8s.UPSAMPLING}
    learned = [value.requires_grad_() for name, values in params.items() if name not in fixed for value in values]
    optimizer = torch.optim.SGD(learned, RATE, MOMENTUM, weight_decay=DECAY, fused=True)
    labels = torch.from_numpy(random_labels(height, width))

    def iterate() -> np.ndarray:
        optimizer.zero_grad()
        loss = functional.cross_entropy(scores(), labels, ignore_index=255, reduction="sum")
        loss.backward()
        optimizer.step()
        return loss.detach().numpy().reshape(1)

    return iterate


BUILDERS = {"caffe_fcn": build_caffe, "torch": build_torch}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--height", type=int, default=500)
    parser.add_argument("--width", type=int, default=334)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    sizes = (options.height, options.width, options.threads)
    engines = Engines(BUILDERS, (*sizes, 0.0), options.threads)
    differences = engines.differences()
    engines.time(0)  # they end
    engines = Engines(BUILDERS, (*sizes, DROPOUT), options.threads)
    results = {
        "net": "voc-fcn8s, full width, forward with dropout, backward and update",
        "image": [options.height, options.width],
        "threads": options.threads,
        "differences_of_losses": differences,
        **compared(engines.time(options.rounds)),
        "peak_bytes": engines.peaks,
        "machine": machine("caffe_fcn", "numpy", "numba", "torch"),
    }
    path = write_results("training", results)
    report("FCN-8s, an iteration of training", results)
    print(f"written to {path}")


if __name__ == "__main__":
    main()
