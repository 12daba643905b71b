"""What this package's solvers can do beyond the fields of a solver file."""

from __future__ import annotations

import dataclasses
import re


@dataclasses.dataclass
class SolverOptions:
    """Keyword arguments of the solver classes and of `get_solver`. The defaults are Caffe's behaviour.

    stop_on_nan    raise DivergedError at a loss that is not finite, before it reaches the parameters, and instead of a
                   snapshot of parameters that are not finite
    snapshot_keep  keep only this many of the newest snapshots that this solver wrote (None: all)
    keep_best      ``"max:accuracy"`` or ``"min:loss"``: after each test, if that output of the first test net is better
                   than ever, write ``<snapshot_prefix>_best.caffemodel``; the run state keeps the best score
    run_state      write ``.runstate`` beside each ``.solverstate``: random numbers and data positions, so that a
                   resumed run gives the same bits as one that was not interrupted
    dialect        of the nets, see Net
    """

    stop_on_nan: bool = False
    snapshot_keep: int | None = None
    keep_best: str | None = None
    run_state: bool = False
    dialect: str | None = None

    def __post_init__(self) -> None:
        if self.snapshot_keep is not None and self.snapshot_keep < 1:
            raise ValueError(f"snapshot_keep must be at least 1 (or None for all), got {self.snapshot_keep}")
        if self.keep_best is not None and not re.fullmatch(r"(max|min):.+", self.keep_best):
            raise ValueError(f"keep_best is 'max:<output>' or 'min:<output>', got {self.keep_best!r}")
