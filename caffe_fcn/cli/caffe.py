"""The command `caffe`: train, test, time, device_query with the original's flags; plot draws recorded runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from caffe_fcn.cli import glog
from caffe_fcn.cli.flags import Flag, UsageError, run

USAGE = """caffe <command> <flags>

Commands:
  train         train or fine-tune a net as a solver file says
  test          run a net with trained weights and show the mean of its outputs
  time          time each layer of a net, forward and backward
  device_query  say what there is to compute on
  plot          compare recorded runs in a picture: caffe plot RUN [RUN...]

Flags may be written -flag value, --flag=value or --flag value, before or after the command."""
COMMANDS = ("train", "test", "time", "device_query", "plot")
INTERRUPTED = 128 + 2  # exit status, as shells have it
EFFECTS = ("snapshot", "stop", "none")
FLAGS = {
    "solver": Flag("", "solver file (train)"),
    "model": Flag("", "net file (test, time)"),
    "weights": Flag("", "trained weights to start from, several with commas between; not with --snapshot"),
    "snapshot": Flag("", "solver state to go on from, or 'auto': the newest snapshot of this solver, if any (train)"),
    "gpu": Flag("", "GPUs: a number, numbers with commas (train: a process each), or 'all'; the CPU unless given"),
    "phase": Flag("", "TRAIN or TEST (time: TRAIN unless given; test: TEST)"),
    "level": Flag(0, "level of the net's state"),
    "stage": Flag("", "stages of the net's state, with commas between"),
    "iterations": Flag(50, "how many passes (test, time)"),
    "sigint_effect": Flag("stop", "what SIGINT (ctrl-C) does: snapshot, stop or none (train)"),
    "sighup_effect": Flag("snapshot", "what SIGHUP does: snapshot, stop or none (train)"),
    "on_nan": Flag("stop", "at a loss that is not finite: stop, or continue as the original does (train)"),
    "keep": Flag(0, "keep only so many of the newest snapshots; 0 keeps all (train)"),
    "record": Flag("", "folder for a log of the run and a report (train)"),
    "check": Flag(False, "only look for mistakes during the first iterations (train)"),
    "doctor": Flag(True, "warn about likely mistakes during the first iterations (train)"),
    "output": Flag("", "picture to write, .png or .svg (plot)"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    words = [_underscores(word) for word in (sys.argv[1:] if argv is None else argv)]
    with glog.messages():
        try:
            return run(USAGE, FLAGS, range(1, sys.maxsize), _dispatch, words)
        except KeyboardInterrupt:  # while training, SIGINT does what --sigint_effect says
            print("caffe: interrupted", file=sys.stderr)
            return INTERRUPTED


def _underscores(word: str) -> str:
    """--on-nan=stop as --on_nan=stop."""
    name, equals, value = word.partition("=")
    known = name.lstrip("-").replace("-", "_")
    if not word.startswith("-") or (known.removeprefix("no") not in FLAGS and known not in FLAGS):
        return word
    return f"--{known}{equals}{value}"


def _dispatch(flags: dict[str, Any], arguments: list[str]) -> int:
    command, *others = arguments
    if command not in COMMANDS:
        raise UsageError(f"unknown command '{command}'; there are {', '.join(COMMANDS)}")
    if others and command != "plot":
        raise UsageError(f"'{command}' takes flags only, got '{others[0]}'")
    for name in ("sigint_effect", "sighup_effect"):
        if flags[name] not in EFFECTS:
            raise UsageError(f"--{name} is one of {', '.join(EFFECTS)}; got '{flags[name]}'")
    return importlib.import_module(f"caffe_fcn.cli.{command}").main(flags, others)


if __name__ == "__main__":
    sys.exit(main())
