"""Names for training on several GPUs: the settings are kept, but one process trains on one device here."""

from __future__ import annotations

from typing import Any

from ..errors import NotSupportedError

_solver_count = 1
_solver_rank = 0


def solver_count() -> int:
    """Number of solvers that train together."""
    return _solver_count


def set_solver_count(count: int) -> None:
    """Keep the number of solvers; nothing else follows from it."""
    global _solver_count
    _solver_count = int(count)


def solver_rank() -> int:
    """Number of this process's solver among them, from 0."""
    return _solver_rank


def set_solver_rank(rank: int) -> None:
    """Keep the number of this process's solver; nothing else follows from it."""
    global _solver_rank
    _solver_rank = int(rank)


def set_multiprocess(multiprocess: bool) -> None:
    """Accepted without effect: there is one process."""


def has_nccl() -> bool:
    """Are several GPUs supported? No."""
    return False


class NCCL:
    """Stands for the original's class that joins solvers on several GPUs; making one raises NotSupportedError."""

    _ADVICE = ("training on several GPUs is not supported; train on one, with iter_size N in the solver and the batch "
               "size of one GPU: N passes before an update give the gradient of N GPUs")

    def __init__(self, *args: Any) -> None:
        raise NotSupportedError(self._ADVICE)

    @staticmethod
    def new_uid() -> str:
        """Raises NotSupportedError."""
        raise NotSupportedError(NCCL._ADVICE)
