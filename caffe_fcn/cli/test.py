"""`caffe test`: the outputs of a net over some batches, and their means."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from caffe_fcn import TEST
from caffe_fcn.cli.flags import UsageError
from caffe_fcn.cli.net_flags import load_net

logger = logging.getLogger("caffe_fcn.cli")


def main(flags: dict[str, Any], _: list[str]) -> int:
    """Run the command; returns its exit status."""
    if not flags["weights"]:
        raise UsageError("need --weights, the file of trained weights")
    net = load_net(flags, TEST)
    count = flags["iterations"]
    logger.info("Running for %d iterations.", count)
    loss, sums = 0.0, dict[str, np.ndarray]()
    for batch in range(count):
        loss += net._forward(0, len(net.layers) - 1)
        for name in net.outputs:
            values = net.blobs[name].data.reshape(-1)
            for value in values:
                logger.info("Batch %d, %s = %g", batch, name, value)
            total = sums.setdefault(name, np.zeros(values.size))
            common = min(total.size, values.size)  # an output may change its size
            total[:common] += values[:common]
    logger.info("Loss: %g", loss / count)
    for name, total in sums.items():
        weight = net.blob_loss_weights[name]
        for value in total / count:
            share = f" (* {weight:g} = {weight * value:g} loss)" if weight else ""
            logger.info("%s = %g%s", name, value, share)
    return 0
