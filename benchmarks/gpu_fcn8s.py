"""FCN-8s at full width on a GPU, next to PyTorch with cuDNN on the same card: a forward pass, an iteration of training,
a stream of images of different sizes, and how far each layer is from the card's limit.

Both compute in the same precision and run passes that repeat as CUDA graphs; PyTorch has its channels last.

Usage: python benchmarks/gpu_fcn8s.py [--size 500] [--images 50] [--rounds 30] [--precision tf32]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fcn8s
import gpu_measures
import numpy as np
from common import machine, write_results
from training import DECAY, DROPOUT, MOMENTUM, RATE, random_labels, train_prototxt

import caffe_fcn
from caffe_fcn.gpu import graphs

WARM = graphs.USES + 2  # passes after which plans are settled and graphs captured


def ours_forward(cupy: Any, text: str, options: argparse.Namespace) -> tuple[dict[str, Any], list[Any]]:
    """The forward pass, its layers, and the stream of sizes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.prototxt"
        file.write_text(text, encoding="utf-8")
        net = caffe_fcn.Net(str(file), caffe_fcn.TEST)
    if options.weights:
        fcn8s.set_weights(net)
    net.blobs["data"].data[...] = fcn8s.random_image(options.size, options.size)

    def one(image: np.ndarray) -> np.ndarray:
        net.blobs["data"].reshape(*image.shape)
        net.blobs["data"].data[...] = image
        return net.forward()["score"]

    results: dict[str, Any] = {"mean_score": float(np.abs(net.forward()["score"]).mean())}
    results["forward"] = gpu_measures.timed(cupy, net.forward, options.rounds, WARM)
    layers = gpu_measures.layer_times(cupy, net, gpu_measures.card_limits(cupy, *options.limits))
    results["stream"] = gpu_measures.stream(cupy, one, options.photos)
    net.release()
    return results, layers


def ours_training(cupy: Any, text: str, labels: Any, options: argparse.Namespace) -> dict[str, Any]:
    """An iteration of training."""
    with tempfile.TemporaryDirectory() as folder:
        net_file, solver_file = Path(folder) / "train.prototxt", Path(folder) / "solver.prototxt"
        net_file.write_text(text, encoding="utf-8")
        solver_file.write_text(f'net: "{net_file}" lr_policy: "fixed" base_lr: {RATE} momentum: {MOMENTUM} '
                               f"weight_decay: {DECAY}", encoding="utf-8")
        solver = caffe_fcn.SGDSolver(str(solver_file))
    if options.weights:
        fcn8s.set_weights(solver.net)
    solver.net.blobs["data"].data[...] = fcn8s.random_image(options.size, options.size)
    solver.net.blobs["label"].data[:, 0] = labels
    return gpu_measures.timed(cupy, lambda: solver.step(1), options.rounds, 2 * WARM)


def theirs(cupy: Any, labels: Any, options: argparse.Namespace) -> dict[str, Any]:
    """PyTorch's times of the same."""
    import gpu_torch

    net = gpu_torch.TorchNet(options.precision)
    mean = float(net.scores(net.image(options.size, options.size)).abs().mean())  # equal nets, equal inputs
    forward = gpu_torch.forward(net, options.size, options.size)
    results: dict[str, Any] = {"mean_score": mean, "forward": gpu_measures.timed(cupy, forward, options.rounds, 2)}
    results["stream"] = gpu_measures.stream(cupy, gpu_torch.stream(net), options.photos)
    iterate = gpu_torch.iteration(gpu_torch.TorchNet(options.precision), labels, (RATE, MOMENTUM, DECAY), DROPOUT)
    results["training"] = gpu_measures.timed(cupy, iterate, options.rounds, 2)
    return results


def run(cupy: Any, options: argparse.Namespace, texts: Sequence[str], others: Callable[..., dict[str, Any]] | None
        ) -> dict[str, Any]:
    """Everything, for the deploy and the training prototxt in `texts`; `others` measures what to compare with."""
    caffe_fcn.set_mode_gpu()
    caffe_fcn.set_matmul_precision(options.precision)
    caffe_fcn.set_cuda_graphs(True)
    labels = random_labels(options.size, options.size)
    ours, layers = ours_forward(cupy, texts[0], options)
    ours["training"] = ours_training(cupy, texts[1], labels, options)
    results: dict[str, Any] = {
        "card": cupy.cuda.runtime.getDeviceProperties(0)["name"].decode(), "precision": options.precision,
        "image": [options.size] * 2, "caffe_fcn": ours, "layers": [layer._asdict() for layer in layers],
        "counters": caffe_fcn.stats.counters(),
        "machine": machine("caffe_fcn", "cupy-cuda12x", "cupy-cuda13x", "torch")}
    if others is not None:
        results["torch"] = found = others(cupy, labels, options)
        results["ratios"] = {
            "forward": gpu_measures.ratio(ours["forward"], found["forward"]),
            "training": gpu_measures.ratio(ours["training"], found["training"]),
            "stream": gpu_measures.ratio(ours["stream"], found["stream"], "new_sizes_s")}
    return results


def report(results: dict[str, Any]) -> list[str]:
    """Lines to print."""
    lines = [f"{results['card']}, {results['precision']}, {results['image'][0]} x {results['image'][1]}"]
    for name in ("caffe_fcn", "torch"):
        if name in results:
            part = results[name]
            lines.append(f"{name:<10} forward {part['forward']['median_s'] * 1e3:8.2f} ms   training "
                         f"{part['training']['median_s'] * 1e3:8.2f} ms   stream of {part['stream']['images']}: "
                         f"{part['stream']['new_sizes_s']:.2f} s new, {part['stream']['known_sizes_s']:.2f} s known   "
                         f"mean score {part['mean_score']:.4g}")
    lines += [f"ratio {name}: {value:.2f}" for name, value in results.get("ratios", {}).items()]
    lines += [f"{layer['name']:<16} {layer['type']:<14} {layer['seconds'] * 1e3:8.3f} ms  "
              f"{layer['share_of_limit']:4.0%} of the limit" for layer in results["layers"]]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=500)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--precision", choices=("float32", "tf32"), default="float32")
    options = parser.parse_args()
    import cupy

    sizes = gpu_measures.stream_sizes(options.images, options.size)
    options.photos = [fcn8s.random_image(*size) for size in sizes]
    options.limits, options.weights = (), True
    texts = fcn8s.prototxt(options.size, options.size), train_prototxt(options.size, options.size, DROPOUT)
    results = run(cupy, options, texts, theirs)
    print("\n".join(report(results)))
    print(f"written to {write_results('gpu', results)}")


if __name__ == "__main__":
    main()
