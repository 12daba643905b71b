"""Processes that train with this one: started, watched and ended."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from .. import mode
from ..errors import CaffeFcnError
from ..ops.cpu import threads
from ..solvers.source import SolverSource
from . import rank
from .joining import join, new_uid
from .peer import LEFT
from .transport import Transport

ROOT_ONLY = ("test_iter", "test_interval", "test_net", "test_net_param", "test_state", "snapshot", "display",
             "debug_info")  # fields that mean nothing to the others


@contextlib.contextmanager
def together(source: SolverSource, gpus: Sequence[int], **options: Any) -> Iterator[Transport]:
    """A `with` block that trains on the first of `gpus`, while a process for each other one does the same.

    source   the solver of all; `options` are its SolverOptions in the other processes
    gpus     their numbers; where this process computes on the CPU, the others do so, too

    At the end of the block the others end, with an error if it raised one. Raises ParallelError when they do not start.
    """
    uid, count = new_uid(), len(gpus)
    processes = [_start(source, uid, number, count, gpu, options) for number, gpu in enumerate(gpus) if number]
    before = rank.solver_count(), rank.solver_rank()
    rank.set_solver_count(count)
    rank.set_solver_rank(0)
    share_cores(count)
    try:
        transport = join(uid, 0, count, lambda: _problem(processes, gpus))
        try:
            yield transport
        except BaseException as error:
            known = isinstance(error, CaffeFcnError)
            transport.fail(f"rank 0: {error if known else type(error).__name__}")
            raise
        transport.finish()
    finally:
        rank.set_solver_count(before[0])
        rank.set_solver_rank(before[1])
        threads.set_num_threads(None)
        for process in processes:
            _end(process)


def share_cores(count: int) -> None:
    """Let this process use its part of the cores, where several compute on the CPU."""
    if mode.device() is None:
        threads.set_num_threads(max(1, threads.count() // count))


def _start(source: SolverSource, uid: bytes, number: int, count: int, gpu: int,
           options: dict[str, Any]) -> subprocess.Popen:
    param = type(source.param)()
    param.CopyFrom(source.param)
    for field in ROOT_ONLY:
        param.ClearField(field)
    order = {"uid": uid.hex(), "rank": number, "count": count, "gpu": None if mode.device() is None else gpu,
             "solver": base64.b64encode(param.SerializeToString()).decode(), "file": source.file, "options": options,
             "path": sys.path}
    process = subprocess.Popen([sys.executable, "-m", "caffe_fcn.parallel.worker"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended already, which `_problem` tells
        process.stdin.write(json.dumps(order).encode())
        process.stdin.close()
    return process


def _problem(processes: Sequence[subprocess.Popen], gpus: Sequence[int]) -> str | None:
    for number, process in enumerate(processes, 1):
        if process.poll() is not None:
            return (f"the process of rank {number} (GPU {gpus[number]}) ended with status {process.returncode} before "
                    "the training began")
    return None


def _end(process: subprocess.Popen) -> None:
    try:
        process.wait(LEFT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
