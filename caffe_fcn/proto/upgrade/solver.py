"""Old solvers: the type was an enum. Nets inside a solver file are left as they are, as in the original."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from caffe_fcn.errors import PrototxtError
from caffe_fcn.proto.upgrade.net import UpgradeReport

if TYPE_CHECKING:
    from caffe_fcn.proto.caffe_pb2 import SolverParameter

# The name of a type in the enum, and as a solver has it now.
TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


def solver_needs_upgrade(solver: SolverParameter) -> bool:
    """Tell whether the solver has the old `solver_type`."""
    return solver.HasField("solver_type")


def upgrade_solver(solver: SolverParameter, source: str) -> UpgradeReport:
    """Make `solver` current, in place. `source` names the file in the error message.

    Raises PrototxtError if both `solver_type` and `type` are given, even if they agree.
    """
    report = UpgradeReport()
    if not solver_needs_upgrade(solver):
        return report
    old = solver.SolverType.Name(solver.solver_type)
    if solver.HasField("type"):
        raise PrototxtError(
            f"the solver has type: '{solver.type}' and the old solver_type: {old}; remove solver_type", source
        )
    solver.type = TYPES[old]
    solver.ClearField("solver_type")
    report.steps.append("solver_type became type")
    return report


def complete_snapshot_prefix(solver: SolverParameter, path: str | os.PathLike[str]) -> None:
    """Let snapshots have a name, in place: that of the solver file without its last suffix.

    A missing `snapshot_prefix` becomes that path; one that names an existing folder gets that name inside.
    """
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = os.path.splitext(path)[0]
    elif os.path.isdir(solver.snapshot_prefix):
        solver.snapshot_prefix = os.path.join(solver.snapshot_prefix, Path(path).stem)
