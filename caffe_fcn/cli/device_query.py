"""`caffe device_query`: what there is to compute on."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from typing import Any

import numpy as np

from caffe_fcn import mode
from caffe_fcn.cli.net_flags import choose_devices
from caffe_fcn.gpu.find import cudnn_problem, problem
from caffe_fcn.memory import available_bytes
from caffe_fcn.ops.cpu import threads
from caffe_fcn.parallel.nccl import has_nccl

logger = logging.getLogger("caffe_fcn.cli")
NO_GPU = 1  # exit status where GPUs were asked for by number, and cannot be used


def main(flags: dict[str, Any], _: list[str]) -> int:
    """Run the command; returns its exit status: 1 where --gpu names a GPU that cannot be used."""
    asked = flags["gpu"] or "all"
    logger.info("Querying GPUs %s", asked)
    numbers = choose_devices(asked)
    usable = mode.device() is not None
    for number in numbers if usable else ():
        reason = problem(number)
        if reason is not None:
            logger.error("%s", reason)
            usable = False
            continue
        for name, value in _card(number):
            logger.info("%-31s%s", f"{name}:", value)
    if mode.device() is not None:
        reason = cudnn_problem()
        logger.info("%-31s%s", "cuDNN:", "usable" if reason is None else f"no: {reason}")
        logger.info("%-31s%s", "NCCL:", "usable" if has_nccl() else "no: several GPUs exchange through the host")
    logger.info("GPU in use:            %s", "none" if mode.device() is None else mode.device())
    logger.info("Processor:             %s", processor())
    logger.info("Cores, threads to use: %s, %d", os.cpu_count(), threads.count())
    free = available_bytes()
    logger.info("Free memory:           %s", "unknown" if free is None else f"{free / 2**30:.1f} GiB")
    logger.info("Python, NumPy:         %s, %s", platform.python_version(), np.__version__)
    return 0 if usable or asked == "all" else NO_GPU


def _card(number: int) -> Iterator[tuple[str, Any]]:
    """What the CUDA runtime tells of a GPU, under the names that the original prints."""
    import cupy

    runtime = cupy.cuda.runtime
    found = runtime.getDeviceProperties(number)
    with cupy.cuda.Device(number):
        free = runtime.memGetInfo()[0]
    yield "Device id", number
    yield "Major revision number", found["major"]
    yield "Minor revision number", found["minor"]
    yield "Name", found["name"].decode()
    yield "Total global memory", found["totalGlobalMem"]
    yield "Free global memory", free
    yield "Total shared memory per block", found["sharedMemPerBlock"]
    for name, field in (("Total registers per block", "regsPerBlock"), ("Warp size", "warpSize"),
                        ("Maximum memory pitch", "memPitch"), ("Maximum threads per block", "maxThreadsPerBlock"),
                        ("Clock rate", "clockRate"), ("Total constant memory", "totalConstMem"),
                        ("Texture alignment", "textureAlignment"),
                        ("Number of multiprocessors", "multiProcessorCount")):
        if field in found:  # not every CUDA version tells everything
            yield name, found[field]
    for name, field in (("Maximum dimension of block", "maxThreadsDim"), ("Maximum dimension of grid", "maxGridSize")):
        if field in found:
            yield name, " x ".join(map(str, found[field]))
    yield "CUDA runtime, driver", f"{runtime.runtimeGetVersion()}, {runtime.driverGetVersion()}"


def processor() -> str:
    """The name of the processor, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
