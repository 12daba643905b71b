"""Where to compute (CPU or GPU) and with which random numbers: process-wide, as in Caffe."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np

from .errors import NotSupportedError
from .turn import wait_for_turn

if TYPE_CHECKING:
    from .memory import Device

_device: Device | None = None  # None: the CPU
_devices: dict[int, Device] = {}  # the GPUs that were used, by number
_index = 0  # the GPU to use
_generator: np.random.Generator | None = None
_seed: int | None = None
_warned = False


def device() -> Device | None:
    """The device that layers compute on; None means the CPU."""
    return _device


def set_mode_cpu() -> None:
    """Compute on the CPU. What was computed on a GPU comes over when it is asked for."""
    global _device
    _device = None


def set_mode_gpu() -> None:
    """Compute on the GPU that set_device chose, at first number 0. Without a usable one: warn once, stay on the CPU.

    Raises NotSupportedError instead if the environment variable CAFFE_FCN_STRICT_GPU is 1; ValueError if there are
    GPUs, but not the chosen one.
    """
    global _device, _warned
    from .gpu.find import problem

    reason = problem(_index)
    if reason is None:
        _device = _get_device(_index)
        return
    if os.environ.get("CAFFE_FCN_STRICT_GPU", "") not in ("", "0"):
        raise NotSupportedError(f"GPU mode: {reason} (unset CAFFE_FCN_STRICT_GPU to go on with the CPU)")
    if not _warned:
        _warned = True
        warnings.warn(f"GPU mode: {reason}; going on with the CPU", RuntimeWarning, stacklevel=2)


def set_device(index: int) -> None:
    """Choose the GPU by its number, for set_mode_gpu or, in GPU mode, from now on.

    Without a GPU this only checks that `index` is a whole number from 0. Raises ValueError.
    """
    global _index
    if not isinstance(index, (int, np.integer)) or index < 0:
        raise ValueError(f"a device is given by its number from 0, got {index!r}")
    before, _index = _index, int(index)
    if _device is not None:
        try:
            set_mode_gpu()
        except ValueError:
            _index = before
            raise


def _get_device(index: int) -> Device:
    if index not in _devices:
        from .gpu.device import CupyDevice

        _devices[index] = CupyDevice(index)
    return _devices[index]


def gpus_in_use() -> list[int]:
    """The numbers of the GPUs that were computed on since the process began."""
    return sorted(_devices)


def forget_devices() -> None:
    """Begin anew on the CPU, with GPU 0 to come: for tests."""
    global _device, _index, _warned
    _device, _index, _warned = None, 0, False
    _devices.clear()


def set_random_seed(seed: int) -> None:
    """Make fillers, dropout and random crops repeatable. What is drawn on a GPU differs from what the CPU draws."""
    global _generator, _seed
    wait_for_turn()
    _seed = int(seed) % 2**64
    _generator = np.random.default_rng(_seed)
    for gpu in _devices.values():
        gpu.seed_random((_seed, 0))


def generator() -> np.random.Generator:
    """The source of all random numbers of the engine but those that are drawn on a GPU."""
    global _generator
    wait_for_turn()
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def seed() -> int:
    """What set_random_seed was given last, from 0 to 2**64 - 1; if it was not called, a number that nobody knows."""
    global _seed
    if _seed is None:
        _seed = int.from_bytes(os.urandom(8), "little")
    return _seed
