"""What the subcommands of `caffe` read from their flags alike: where to compute, files, phase, state."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from caffe_fcn import TEST, TRAIN, mode
from caffe_fcn.cli.flags import UsageError
from caffe_fcn.errors import MissingFileError
from caffe_fcn.gpu.find import gpu_count
from caffe_fcn.net import Net

logger = logging.getLogger("caffe_fcn.cli")


def choose_devices(gpu: str) -> list[int]:
    """Compute on the first GPU that --gpu names; empty means the CPU. Returns all numbers that it names, 'all' for as
    many as there are. Without a usable GPU one warning, and the CPU.

    Raises UsageError for what are no numbers of GPUs.
    """
    if not gpu:
        logger.info("Use CPU.")
        mode.set_mode_cpu()
        return []
    numbers = _numbers(gpu)
    try:
        for number in reversed(numbers):
            mode.set_device(number)
            mode.set_mode_gpu()
    except ValueError as error:
        raise UsageError(f"--gpu {gpu}: {error}") from None
    logger.info("Use %s.", "CPU" if mode.device() is None else f"GPU with device ID {numbers[0]}")
    return numbers


def _numbers(gpu: str) -> list[int]:
    if gpu == "all":
        return list(range(gpu_count())) or [0]
    words = [word.strip() for word in gpu.split(",")]
    if not all(word.isdecimal() for word in words):
        raise UsageError(f"--gpu is a number, numbers with commas between, or 'all'; got '{gpu}'")
    if len(set(map(int, words))) < len(words):
        raise UsageError(f"--gpu names a GPU twice: '{gpu}'")
    return [int(word) for word in words]


def choose_device(gpu: str) -> None:
    """As `choose_devices`, for what one GPU does: the first."""
    numbers = choose_devices(gpu)
    if len(numbers) > 1:
        logger.warning("--gpu names %d GPUs; one is used: %d", len(numbers), numbers[0])


def file_flag(flags: dict[str, Any], name: str, purpose: str) -> str:
    """The file that a flag names. UsageError if it is not given, MissingFileError if it is not there."""
    value = flags[name]
    if not value:
        raise UsageError(f"need --{name}, {purpose}")
    if not Path(value).exists():
        raise MissingFileError(f"--{name}: there is no file '{value}' (looked from '{Path.cwd()}')", value)
    return value


def weight_files(flags: dict[str, Any]) -> list[str]:
    """The files that --weights names; MissingFileError for the first that is not there."""
    names = [name.strip() for name in flags["weights"].split(",")] if flags["weights"] else []
    return [file_flag({"weights": name}, "weights", "a file of trained weights") for name in names]


def stages(flags: dict[str, Any]) -> list[str]:
    """The stages that --stage names."""
    return [stage for stage in flags["stage"].split(",") if stage]


def load_net(flags: dict[str, Any], phase: int) -> Net:
    """The net of --model with the weights of --weights, in the phase of --phase or else in `phase`."""
    phases = {"": phase, "TRAIN": TRAIN, "TEST": TEST}
    if flags["phase"] not in phases:
        raise UsageError(f"--phase is TRAIN or TEST, got '{flags['phase']}'")
    if flags["iterations"] < 1:
        raise UsageError(f"--iterations must be at least 1, got {flags['iterations']}")
    model, weights = file_flag(flags, "model", "the net file"), weight_files(flags)
    choose_device(flags["gpu"])
    net = Net(model, phases[flags["phase"]], flags["level"], stages(flags))
    for file in weights:
        net.copy_from(file)
    return net
