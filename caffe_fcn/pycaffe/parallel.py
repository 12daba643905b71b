"""pycaffe's names for training with several solvers, each in a process of its own."""

from __future__ import annotations

from typing import Any

from ..parallel.gradients import Gradients
from ..parallel.joining import join, new_uid
from ..parallel.nccl import has_nccl
from ..parallel.rank import (
    multiprocess,
    set_multiprocess,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)

__all__ = ["NCCL", "has_nccl", "multiprocess", "set_multiprocess", "set_solver_count", "set_solver_rank",
           "solver_count", "solver_rank"]


class NCCL(Gradients):
    """Joins the solver of this process with those of the others, which are made with the same `uid`.

    What set_solver_count and set_solver_rank were given holds. Waits until all processes are there. Gradients travel
    by NVIDIA's NCCL where it is usable, else through the host's memory, on the CPU too.

    Raises ParallelError if the others do not come or train something else, ValueError for a wrong rank or uid.
    """

    def __init__(self, solver: Any, uid: bytes) -> None:
        super().__init__(solver, join(uid, solver_rank(), solver_count()))

    @staticmethod
    def new_uid() -> bytes:
        """A new name for the processes to meet under; one of them, or their parent, makes it."""
        return new_uid()
