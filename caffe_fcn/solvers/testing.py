"""Test passes: the mean of each output of a test net over `test_iter` batches."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from ..data.user_code import is_ours

if TYPE_CHECKING:
    from .base import Solver

logger = logging.getLogger("caffe_fcn")


def run_tests(solver: Solver, index: int) -> dict[str, np.ndarray] | None:
    """Run the test net `index` and report the means.

    Returns them by name of the output, each a flat float32 array, or None if a stop was requested meanwhile.
    """
    net, count = solver.test_nets[index], solver.param_message.test_iter[index]
    logger.info("Iteration %d, Testing net (#%d)", solver.iter, index)
    sums = {name: np.zeros(net.blobs[name].count, net.blobs[name].dtype) for name in net.outputs}
    loss, quiet = 0.0, is_ours(type(solver), solver._action, *solver._listeners)
    try:
        for batch in range(count):
            action = solver._action()
            if action == "snapshot":
                solver.snapshot()
            elif action == "stop":
                logger.info("Test interrupted.")
                return None
            loss += net._forward(0, len(net.layers) - 1, more=quiet and batch + 1 < count)
            for name in sums:
                values = net.blobs[name].data.reshape(-1)
                sums[name] = values.copy() if batch == 0 else _added(sums[name], values)
    finally:
        net._look_ahead.put_back()
    with np.errstate(all="ignore"):
        means = {name: total / np.float32(count) for name, total in sums.items()}
        if solver.param_message.test_compute_loss:
            logger.info("Test loss: %g", np.float64(loss) / count)
    _report(solver, index, means)
    return means


def _added(total: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum entry by entry over what both have: an output may change its size between batches."""
    common = min(total.size, values.size)
    total[:common] += values[:common]
    return total


def _report(solver: Solver, index: int, means: dict[str, np.ndarray]) -> None:
    net = solver.test_nets[index]
    number = 0
    for name, values in means.items():
        weight = net.blob_loss_weights[name]
        for value in values:
            share = f" (* {weight:g} = {weight * value:g} loss)" if weight else ""
            logger.info("    Test net output #%d: %s = %g%s", number, name, value, share)
            number += 1
