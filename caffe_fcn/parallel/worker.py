"""A process that trains with others as `launch` tells it: ``python -m caffe_fcn.parallel.worker``, order on stdin."""

from __future__ import annotations

import base64
import json
import logging
import signal
import sys
from typing import Any

from .. import mode
from ..cli import glog
from ..errors import CaffeFcnError, ParallelError
from ..proto import caffe_pb2
from . import rank
from .gradients import Gradients
from .joining import join
from .launch import share_cores
from .peer import Finished
from .transport import Transport

FAILED = 1  # exit status


def main() -> int:
    """Train until rank 0 has finished; returns the exit status."""
    for name in ("SIGINT", "SIGHUP"):  # they reach the whole group, and rank 0 decides
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    order = json.load(sys.stdin)
    sys.path[:] = order["path"]
    with glog.messages():
        logging.getLogger("caffe_fcn").setLevel(logging.WARNING)
        if order["gpu"] is not None:
            mode.set_device(order["gpu"])
            mode.set_mode_gpu()
        rank.set_solver_count(order["count"])
        rank.set_solver_rank(order["rank"])
        share_cores(order["count"])
        transport = join(bytes.fromhex(order["uid"]), order["rank"], order["count"])
        return _run(order, transport)


def _run(order: dict[str, Any], transport: Transport) -> int:
    """Train; what goes wrong is told to rank 0, which says it to the user."""
    try:
        _train(order, transport)
    except Finished:
        transport.close()
        return 0
    except ParallelError:  # rank 0 knows
        transport.close()
    except CaffeFcnError as error:
        transport.fail(f"rank {order['rank']}: {error}")
    except BaseException as error:
        transport.fail(f"rank {order['rank']}: {type(error).__name__}: {error}")
        raise
    return FAILED


def _train(order: dict[str, Any], transport: Transport) -> None:
    from ..solvers import get_solver
    from ..solvers.source import SolverSource

    param = caffe_pb2.SolverParameter.FromString(base64.b64decode(order["solver"]))
    solver = get_solver(SolverSource(param, order["file"], {}), **order["options"])
    gradients = Gradients(solver, transport)
    gradients.bcast()
    solver.add_callback(gradients)
    while True:  # until rank 0 has finished
        solver.step(1 << 30)


if __name__ == "__main__":
    sys.exit(main())
