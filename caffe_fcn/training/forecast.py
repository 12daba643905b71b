"""How long a training run will take, and how much memory."""

from __future__ import annotations

from caffe_fcn.solvers import Solver
from caffe_fcn.training.cost import net_bytes

FORWARD_SHARE = 1 / 3  # of an iteration, spent in a forward pass


def forecast(solver: Solver, seconds: float) -> str:
    """One line: time to go at so many seconds an iteration, and memory of nets and solver."""
    param = solver.param_message
    left = max(0, param.max_iter - solver.iter)
    tests = left // param.test_interval * sum(param.test_iter) if param.test_interval else 0
    total = seconds * (left + tests * FORWARD_SHARE)
    history = sum(blob.count * blob.dtype.itemsize for blob in solver.history)
    memory = net_bytes(solver.net, True) + history + sum(net_bytes(net, False) for net in solver.test_nets)
    return (f"about {duration(total)} for {left} more iterations ({seconds:.3g} s each) and {tests} test batches; "
            f"about {memory / 2**30:.2g} GiB for nets and solver")


def duration(seconds: float) -> str:
    """
    >>> duration(3725)
    '1 h 2 min'
    >>> duration(42.4)
    '42 s'
    """
    minutes = int(seconds // 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{seconds:.0f} s"
