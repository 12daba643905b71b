"""Where to compute (CPU or GPU) and with which random numbers: process-wide, as in Caffe."""

from __future__ import annotations

import os
import warnings

import numpy as np

from .errors import NotSupportedError
from .memory import Device
from .turn import wait_for_turn

_device: Device | None = None  # None: the CPU
_generator: np.random.Generator | None = None
_warned = False


def device() -> Device | None:
    """The device that layers compute on; None means the CPU."""
    return _device


def set_mode_cpu() -> None:
    """Compute on the CPU."""
    global _device
    _device = None


def set_mode_gpu() -> None:
    """Compute on the GPU. Without a usable one: warn once and stay on the CPU.

    Raises NotSupportedError instead if the environment variable CAFFE_FCN_STRICT_GPU is 1.
    """
    global _warned
    reason = "this version computes on the CPU only"
    if os.environ.get("CAFFE_FCN_STRICT_GPU", "") not in ("", "0"):
        raise NotSupportedError(f"GPU mode: {reason} (unset CAFFE_FCN_STRICT_GPU to go on with the CPU)")
    if not _warned:
        _warned = True
        warnings.warn(f"GPU mode: {reason}; going on with the CPU", RuntimeWarning, stacklevel=2)


def set_device(index: int) -> None:
    """Choose the GPU for set_mode_gpu; without one this only checks that `index` is a whole number from 0."""
    if not isinstance(index, (int, np.integer)) or index < 0:
        raise ValueError(f"a device is given by its number from 0, got {index!r}")


def set_random_seed(seed: int) -> None:
    """Make fillers, dropout and random crops repeatable."""
    global _generator
    wait_for_turn()
    _generator = np.random.default_rng(int(seed) % 2**64)


def generator() -> np.random.Generator:
    """The source of all random numbers of the engine."""
    global _generator
    wait_for_turn()
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator
