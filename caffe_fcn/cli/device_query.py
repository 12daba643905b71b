"""`caffe device_query`: what there is to compute on."""

from __future__ import annotations

import logging
import os
import platform
from typing import Any

import numpy as np

from caffe_fcn import mode
from caffe_fcn.cli.net_flags import choose_device
from caffe_fcn.memory import available_bytes
from caffe_fcn.ops.cpu import threads

logger = logging.getLogger("caffe_fcn.cli")


def main(flags: dict[str, Any], _: list[str]) -> int:
    """Run the command; returns its exit status."""
    logger.info("Querying GPUs %s", flags["gpu"] or "all")
    choose_device(flags["gpu"] or "all")
    logger.info("GPU in use:            %s", "none" if mode.device() is None else mode.device())
    logger.info("Processor:             %s", processor())
    logger.info("Cores, threads to use: %s, %d", os.cpu_count(), threads.count())
    free = available_bytes()
    logger.info("Free memory:           %s", "unknown" if free is None else f"{free / 2**30:.1f} GiB")
    logger.info("Python, NumPy:         %s, %s", platform.python_version(), np.__version__)
    return 0


def processor() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
