"""Is there a GPU that can be used, and what is missing if not?"""

from __future__ import annotations

import importlib
import os
from typing import Any

INSTALL = "pip install 'caffe_fcn[gpu]' for CUDA 12, or 'caffe_fcn[gpu-cuda13]'"
NO_CARD = 100  # cudaErrorNoDevice
OLDEST_CUDNN = 90000  # of which the graphs for convolutions are good


def oldest_capability(runtime_version: int) -> int:
    """The lowest compute capability that a CUDA runtime (12040 is 12.4) makes code for: 75 means 7.5."""
    return 75 if runtime_version >= 13000 else 50


def problem(index: int) -> str | None:
    """Why GPU number `index` cannot be used, and what to do; None if it can.

    Raises ValueError if there are GPUs, but none of this number.
    """
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "cupy":
            return f"CuPy is not installed: {INSTALL}"
        return f"CuPy does not load ({error}): {INSTALL}"
    runtime = cupy.cuda.runtime
    try:
        count = _count(runtime)
    except runtime.CUDARuntimeError as error:
        return f"no NVIDIA driver that fits CuPy {cupy.__version__} ({error}): install or update the driver"
    if count == 0:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        hidden = f" (CUDA_VISIBLE_DEVICES is {visible!r})" if visible is not None else ""
        return f"there is no NVIDIA GPU{hidden}"
    if index >= count:
        raise ValueError(f"GPU {index} was chosen, but there are {count}, numbered from 0")
    return _card_problem(runtime, index) or _library_problem(cupy)


def _count(runtime: Any) -> int:
    """How many GPUs there are; a driver that has none for us says so by an error."""
    try:
        return runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        if error.status == NO_CARD:
            return 0
        raise


def _library_problem(cupy: Any) -> str | None:
    """CuPy loads CUDA's libraries when it first needs them, in the middle of a pass: ask for them now, for no card."""
    try:
        cupy.cuda.nvrtc.getVersion()
        _ = cupy.cuda.cublas
    except (ImportError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        return f"a library of CUDA is missing ({reason}): {INSTALL}"
    return None


def gpu_count() -> int:
    """How many GPUs there are for CuPy, usable or not; 0 without CuPy or driver."""
    try:
        return importlib.import_module("cupy").cuda.runtime.getDeviceCount()
    except (ImportError, RuntimeError):
        return 0


def _card_problem(runtime: Any, index: int) -> str | None:
    properties = runtime.getDeviceProperties(index)
    version = runtime.runtimeGetVersion()
    wanted = oldest_capability(version)
    if properties["major"] * 10 + properties["minor"] >= wanted:
        return None
    older = " (CUDA 12 knows older ones: pip install 'caffe_fcn[gpu]')" if wanted > 50 else ""
    return (f"GPU {index}, {properties['name'].decode()}, has the compute capability {properties['major']}."
            f"{properties['minor']}, CUDA {version // 1000} needs {wanted // 10}.{wanted % 10}{older}")


def cudnn_problem() -> str | None:
    """Why cuDNN cannot be used for convolutions, and what to install; None if it can."""
    try:
        version = importlib.import_module("cudnn").backend_version()
    except (ImportError, AttributeError, RuntimeError, OSError) as error:
        return f"cuDNN is not there ({error}): {INSTALL}"
    if version < OLDEST_CUDNN:
        return f"cuDNN {version} is too old, {OLDEST_CUDNN} or newer is needed: {INSTALL}"
    return None
