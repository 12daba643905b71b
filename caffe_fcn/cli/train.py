"""`caffe train`: train a net as a solver file says, from scratch, from weights or from a snapshot."""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from caffe_fcn.cli import glog
from caffe_fcn.cli.flags import UsageError
from caffe_fcn.cli.net_flags import choose_devices, file_flag, stages, weight_files
from caffe_fcn.parallel.transport import Transport
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.solvers import Solver, get_solver
from caffe_fcn.solvers.source import SolverSource, read_source
from caffe_fcn.training.doctor import Doctor

logger = logging.getLogger("caffe_fcn.cli")
CHECKED = 3  # iterations that the doctor watches


def main(flags: dict[str, Any], _: list[str]) -> int:
    """Run the command; returns its exit status."""
    file = file_flag(flags, "solver", "the solver file to train with")
    if flags["snapshot"] and flags["weights"]:
        raise UsageError("give --snapshot to go on with a run, or --weights to start one from trained weights, not "
                         "both")
    if flags["on_nan"] not in ("stop", "continue"):
        raise UsageError(f"--on_nan is stop or continue, got '{flags['on_nan']}'")
    if flags["keep"] < 0:
        raise UsageError(f"--keep is how many snapshots to keep (0: all), got {flags['keep']}")
    weights = weight_files(flags)
    source = read_source(file)
    gpus = choose_devices(_device(flags, source.param))
    resume = _snapshot(flags["snapshot"], source.param)
    if flags["level"] or flags["stage"]:
        source.param.train_state.level = flags["level"]
        source.param.train_state.stage.extend(stages(flags))
    with _others(source, flags, gpus) as transport:
        return _train(source, flags, weights, resume, transport)


def _train(source: SolverSource, flags: dict[str, Any], weights: Sequence[str], resume: str | None,
           transport: Transport | None) -> int:
    solver = _make(source, flags)
    for name in weights:
        logger.info("Finetuning from %s", name)
        for net in (solver.net, *solver.test_nets):
            net.copy_from(name)
    if flags["check"]:
        return _check(solver, resume)
    if flags["doctor"]:
        Doctor(solver, CHECKED).report_when_done()
    started_from = [*weights, *([resume] if resume else [])]
    if transport is not None:
        _join(solver, transport, resume)
        resume = None  # done
    with _record(solver, flags["record"], started_from), _signals(solver, flags), _progress(solver):
        logger.info("Starting Optimization")
        solver.solve(resume)
    return 0


def _device(flags: dict[str, Any], param: Any) -> str:
    """--gpu, or the GPU of a solver file that asks for one."""
    if not flags["gpu"] and param.HasField("solver_mode") and param.solver_mode == caffe_pb2.SolverParameter.GPU:
        return str(param.device_id)
    return flags["gpu"]


def _others(source: SolverSource, flags: dict[str, Any], gpus: Sequence[int]
            ) -> contextlib.AbstractContextManager[Transport | None]:
    """The processes for all GPUs but the first, if there are any."""
    if len(gpus) < 2 or flags["check"]:
        return contextlib.nullcontext()
    from caffe_fcn.parallel.launch import together

    logger.info("Training on %d GPUs: %s", len(gpus), ", ".join(map(str, gpus)))
    return together(source, gpus, stop_on_nan=flags["on_nan"] == "stop")


def _join(solver: Solver, transport: Transport, resume: str | None) -> None:
    """Let the other solvers start where this one does, and go on with it."""
    from caffe_fcn.parallel.gradients import Gradients

    if resume:
        solver.restore(resume)
    gradients = Gradients(solver, transport)
    gradients.bcast()
    solver.add_callback(gradients)


def _make(source: SolverSource, flags: dict[str, Any]) -> Solver:
    options = {"stop_on_nan": flags["on_nan"] == "stop", "snapshot_keep": flags["keep"] or None, "run_state": True}
    return get_solver(source, **options)


def _snapshot(name: str, param: Any) -> str | None:
    """The state file to go on from: --snapshot, or with 'auto' the one of the highest iteration."""
    if name != "auto":
        return file_flag({"snapshot": name}, "snapshot", "") if name else None
    prefix = Path(param.snapshot_prefix)
    pattern = re.compile(re.escape(prefix.name) + r"_iter_(\d+)\.solverstate(\.h5)?")
    found = [(int(match[1]), path) for path in prefix.parent.glob("*") if (match := pattern.fullmatch(path.name))]
    if not found:
        logger.info("No snapshot '%s_iter_...' yet: starting from the beginning", prefix)
        return None
    return str(max(found)[1])


def _check(solver: Solver, resume: str | None) -> int:
    """Do a few iterations without tests and snapshots, and say what looks wrong; 1 if anything does."""
    if resume:
        solver.restore(resume)
    doctor = Doctor(solver, CHECKED)
    param, full = solver.param_message, caffe_pb2.SolverParameter()
    full.CopyFrom(param)
    param.test_interval = param.snapshot = param.display = 0
    solver.step(CHECKED)
    param.CopyFrom(full)  # the forecast counts the tests
    doctor.report(notes=True)
    return int(any(finding.is_warning for finding in doctor.findings))


@contextlib.contextmanager
def _signals(solver: Solver, flags: dict[str, Any]) -> Iterator[None]:
    """Let SIGINT and SIGHUP ask the solver for a snapshot or to stop, at its next iteration or test batch."""
    asked: list[str] = []
    effects = {"SIGINT": flags["sigint_effect"], "SIGHUP": flags["sighup_effect"]}

    def handler(number: int, _: types.FrameType | None) -> None:
        effect = effects[signal.Signals(number).name]
        if effect != "none":
            asked.append(effect)

    numbers = [getattr(signal, name) for name in effects if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in numbers}
    solver.set_action_function(lambda: asked.pop(0) if asked else None)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def _progress(solver: Solver) -> Iterator[None]:
    """A live bar on a terminal; nothing where the output goes to a file or a pipe."""
    if not sys.stderr.isatty():
        yield
        return
    from caffe_fcn.training.progress import Progress

    with Progress(solver) as progress, glog.messages(progress.log_handler()):
        yield


@contextlib.contextmanager
def _record(solver: Solver, folder: str, weights: Sequence[str]) -> Iterator[None]:
    """Write a record of the run, if a folder for it is given."""
    if not folder:
        yield
        return
    from caffe_fcn.training.record import Record

    with Record(solver, folder, weights):
        yield
