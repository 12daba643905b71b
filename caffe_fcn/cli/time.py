"""`caffe time`: how long each layer takes, forward and backward, with its speed and memory."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np

from caffe_fcn import TRAIN
from caffe_fcn.cli.net_flags import load_net
from caffe_fcn.net import Net
from caffe_fcn.training.cost import backward_flops, layer_costs, net_bytes

logger = logging.getLogger("caffe_fcn.cli")


def main(flags: dict[str, Any], _: list[str]) -> int:
    """Run the command; returns its exit status."""
    net, count = load_net(flags, TRAIN), flags["iterations"]
    last = len(net.layers) - 1
    logger.info("Performing Forward")
    logger.info("Initial loss: %g", net._forward(0, last))
    logger.info("Performing Backward")
    net._backward(last, 0)
    logger.info("*** Benchmark begins ***")
    logger.info("Testing for %d iterations.", count)
    started = time.perf_counter()
    forward, backward = measure(net, count)
    total = time.perf_counter() - started
    logger.info("Average time per layer: ")
    for i, name in enumerate(net._layer_names):
        logger.info("%10s\tforward: %g ms.", name, forward[:, i].mean())
        logger.info("%10s\tbackward: %g ms.", name, backward[:, i].mean())
    ahead, back = forward.sum(axis=1).mean(), backward.sum(axis=1).mean()
    logger.info("Average Forward pass: %g ms.", ahead)
    logger.info("Average Backward pass: %g ms.", back)
    logger.info("Average Forward-Backward: %g ms.", ahead + back)
    logger.info("Total Time: %g ms.", total * 1e3)
    logger.info("*** Benchmark ends ***")
    for line in table(net, np.median(forward, axis=0), np.median(backward, axis=0)):
        logger.info("%s", line)
    return 0


def measure(net: Net, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds of each layer in `count` passes, forward and backward, each (count, layers)."""
    layers = len(net.layers)
    times = np.zeros((2, count, layers))
    for k in range(count):
        begun = time.perf_counter()
        for i in range(layers):
            times[0, k, i] = _milliseconds(lambda i=i: net._forward(i, i))
        for i in reversed(range(layers)):
            times[1, k, i] = _milliseconds(lambda i=i: net._backward(i, i))
        logger.info("Iteration: %d forward-backward time: %g ms.", k + 1, (time.perf_counter() - begun) * 1e3)
    return times[0], times[1]


def _milliseconds(run: Any) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1e3


def table(net: Net, forward: np.ndarray, backward: np.ndarray) -> list[str]:
    """Lines of a table: milliseconds (medians), GFLOP/s and MiB of each layer, and of the net."""
    wiring = net._wiring
    width = max((len(name) for name in wiring.layer_names), default=5)
    lines = [f"{'layer':<{width}}  {'type':<16} {'fwd ms':>9} {'GFLOP/s':>8} {'bwd ms':>9} {'GFLOP/s':>8} "
             f"{'top MiB':>8} {'param MiB':>9}"]
    costs = layer_costs(net)
    for i, (name, kind) in enumerate(zip(wiring.layer_names, wiring.types, strict=True)):
        back = backward_flops(net, i, costs[i].flops)
        lines.append(f"{name:<{width}}  {kind:<16} {forward[i]:>9.3f} {_rate(costs[i].flops, forward[i]):>8} "
                     f"{backward[i]:>9.3f} {_rate(back, backward[i]):>8} "
                     f"{costs[i].bytes / 2**20:>8.2f} {costs[i].params * 4 / 2**20:>9.3f}")
    total = sum(cost.flops for cost in costs)
    lines.append(f"Forward pass: {total / 1e9:.2f} GFLOP at {_rate(total, forward.sum())} GFLOP/s. Memory: "
                 f"{net_bytes(net, False) / 2**20:.0f} MiB forward only, {net_bytes(net, True) / 2**20:.0f} MiB with "
                 "diffs.")
    return lines


def _rate(flops: float, milliseconds: float) -> str:
    return f"{flops / milliseconds / 1e6:.1f}" if flops and milliseconds else "-"
