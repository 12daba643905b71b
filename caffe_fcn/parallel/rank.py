"""How many solvers train together, and which of them is this process's: process-wide, as in Caffe.

Data layers that are set up later read their share of the records. Rank 0 is the root: it alone tests, displays and
writes snapshots.
"""

from __future__ import annotations

import operator

_count = 1
_rank = 0
_multiprocess = False


def solver_count() -> int:
    """Number of solvers that train together."""
    return _count


def set_solver_count(count: int) -> None:
    """Say how many solvers train together, before nets are made. ValueError below 1."""
    global _count
    if operator.index(count) < 1:
        raise ValueError(f"the number of solvers is at least 1, got {count}")
    _count = operator.index(count)


def solver_rank() -> int:
    """Number of this process's solver among them, from 0."""
    return _rank


def set_solver_rank(rank: int) -> None:
    """Say which of the solvers is this process's, before nets are made. ValueError below 0."""
    global _rank
    if operator.index(rank) < 0:
        raise ValueError(f"solvers are numbered from 0, got {rank}")
    _rank = operator.index(rank)


def multiprocess() -> bool:
    """What set_multiprocess was given."""
    return _multiprocess


def set_multiprocess(value: bool) -> None:
    """Kept for `multiprocess`; solvers always have a process each."""
    global _multiprocess
    _multiprocess = bool(value)


def is_root() -> bool:
    """Is this process's solver the one that tests, displays and writes snapshots?"""
    return _rank == 0
