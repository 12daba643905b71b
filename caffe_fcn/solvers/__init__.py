"""Training: the loop of Caffe's solver, and one update rule per file."""

from __future__ import annotations

import os
from typing import Any

from .adadelta import AdaDeltaSolver
from .adagrad import AdaGradSolver
from .adam import AdamSolver
from .base import Solver
from .nesterov import NesterovSolver
from .registry import register_solver, solver_type_list
from .rmsprop import RMSPropSolver
from .sgd import SGDSolver
from .source import chosen_class, read_source

__all__ = [
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "NesterovSolver",
    "RMSPropSolver",
    "SGDSolver",
    "Solver",
    "get_solver",
    "register_solver",
    "solver_type_list",
]


def get_solver(solver_file: str | os.PathLike[str] | Any, **options: Any) -> Solver:
    """Make the solver that a solver file (or a SolverParameter) asks for with its `type`.

    `options` are those of SolverOptions. Raises PrototxtError for an unknown type, and as Solver does.
    """
    source = read_source(solver_file)
    return chosen_class(source)(source, **options)
