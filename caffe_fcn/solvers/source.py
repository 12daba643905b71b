"""A solver file as it was read, and everything about it that can be refused before any net is built."""

from __future__ import annotations

import difflib
import logging
import os
import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import FileAccessError, PrototxtError
from ..proto import caffe_pb2
from ..proto.text import Positions
from ..proto.upgrade import read_solver
from .lr_policy import POLICIES, WITH_GAMMA, WITH_STEPSIZE
from .registry import solver_class, solver_type_list

if TYPE_CHECKING:
    from .base import Solver

logger = logging.getLogger("caffe_fcn")

TRAIN_NET_FIELDS = ("train_net_param", "train_net", "net_param", "net")
REGULARIZATIONS = ("L1", "L2")


class SolverSource(NamedTuple):
    """A SolverParameter, the file it came from (or None), and where its fields stand in that file."""

    param: Any
    file: str | None
    positions: Positions

    def place(self, *path: Any) -> str:
        """``file:line:column: `` of a field, or as much as is known of it; for the front of messages."""
        parts = (self.file, *self.positions.get(path, ()))
        return "".join(f"{part}:" for part in parts if part is not None) + " " * (parts != (None,))

    def error(self, message: str, *path: Any) -> PrototxtError:
        """The exception for a field at `path`."""
        line, column = self.positions.get(path, (None, None))
        return PrototxtError(message, self.file, line, column)


def read_source(solver: str | os.PathLike[str] | Any) -> SolverSource:
    """Read a solver file (upgraded, `snapshot_prefix` completed), or take a copy of a SolverParameter.

    What was read already is returned as it is. Raises MissingFileError or PrototxtError.
    """
    if isinstance(solver, SolverSource):
        return solver
    if isinstance(solver, caffe_pb2.SolverParameter):
        param = caffe_pb2.SolverParameter()
        param.CopyFrom(solver)
        return SolverSource(param, None, {})
    positions: Positions = {}
    return SolverSource(read_solver(solver, positions), os.fspath(solver), positions)


def chosen_class(source: SolverSource) -> type[Solver]:
    """The class for the solver's `type`; PrototxtError if there is none."""
    name = source.param.type
    found = solver_class(name)
    if found is None:
        raise source.error(f"unknown solver type '{name}'{_hint(name, solver_type_list())}", "type")
    return found


def check(source: SolverSource, cls: type[Solver]) -> None:
    """Refuse a solver that could not train: PrototxtError with the place of the field."""
    _check_nets(source)
    _check_test_nets(source)
    _check_rate(source)
    for field, least in (("average_loss", 1), ("iter_size", 1)):
        if getattr(source.param, field) < least:
            raise source.error(f"'{field}' must be at least {least}, got {getattr(source.param, field)}", field)
    for field, problem in cls.problems(source.param):
        raise source.error(problem, field)


def _check_nets(source: SolverSource) -> None:
    given = [field for field in TRAIN_NET_FIELDS if source.param.HasField(field)]
    if not given:
        raise source.error("the solver names no net to train; add net: \"train_val.prototxt\" (or train_net, "
                           "net_param, train_net_param)")
    if len(given) > 1:
        raise source.error(f"the solver gives the net to train more than once ({', '.join(given)}); keep one of them",
                           given[0])


def _check_test_nets(source: SolverSource) -> None:
    param = source.param
    own = len(param.test_net_param) + len(param.test_net)
    generic = param.HasField("net") or param.HasField("net_param")
    count = len(param.test_iter)
    if count < own or (count > own and not generic):
        wanted = f"at least {own}" if generic else str(own)
        raise source.error(f"'test_iter' is given {count} times, but must be given {wanted} times: once for each test "
                           "net", *(("test_iter", 0) if count else ()))
    for i, batches in enumerate(param.test_iter):
        if batches < 0:
            raise source.error(f"'test_iter' is how many batches to test with, got {batches}", "test_iter", i)
    if len(param.test_state) not in (0, count):
        raise source.error(f"'test_state' is given {len(param.test_state)} times for {count} test nets; give it once "
                           "for each, or not at all", "test_state", 0)
    if count and param.test_interval <= 0:
        raise source.error(f"'test_interval' must be at least 1 where there are test nets, got {param.test_interval}",
                           *(("test_interval",) if param.HasField("test_interval") else ("test_iter", 0)))


def _check_rate(source: SolverSource) -> None:
    param = source.param
    policy = param.lr_policy
    if not param.HasField("lr_policy"):
        raise source.error(f"the solver has no lr_policy; add one of {', '.join(POLICIES)} (\"fixed\" keeps base_lr)")
    if policy not in POLICIES:
        raise source.error(f"unknown lr_policy '{policy}'{_hint(policy, POLICIES)}", "lr_policy")
    if policy in WITH_STEPSIZE and param.stepsize <= 0:
        raise source.error(f"lr_policy '{policy}' needs a 'stepsize' of at least 1, got {param.stepsize}",
                           "stepsize" if param.HasField("stepsize") else "lr_policy")
    if policy in WITH_GAMMA and not param.gamma >= 0:
        raise source.error(f"lr_policy '{policy}' needs a 'gamma' that is not negative, got {param.gamma:g}", "gamma")
    if not param.HasField("base_lr"):
        logger.warning("%sthe solver has no base_lr, so nothing will be learned", source.place())


def check_regularization(source: SolverSource, decay_mults: Sequence[float]) -> None:
    """Refuse an unknown kind of weight decay, if there is any weight decay."""
    kind = source.param.regularization_type
    if kind not in REGULARIZATIONS and source.param.weight_decay and any(decay_mults):
        raise source.error(f"unknown regularization_type '{kind}'{_hint(kind, REGULARIZATIONS)}", "regularization_type")


def check_snapshot_folder(source: SolverSource) -> None:
    """Find out now whether snapshots can be written, with a probe that is removed again.

    Raises FileAccessError with the place of `snapshot_prefix`.
    """
    prefix = source.param.snapshot_prefix
    probe = f"{prefix}.{secrets.token_hex(4)}.tmp"
    try:
        with open(probe, "xb"):
            pass
        os.unlink(probe)
    except OSError as error:
        folder = os.path.dirname(prefix) or "."
        raise FileAccessError(
            f"{source.place('snapshot_prefix')}cannot write snapshots '{prefix}_iter_...': {error.strerror}; make sure "
            f"that the folder '{folder}' exists (looked from '{os.getcwd()}') and is writable", prefix, error.errno
        ) from error


def beside_hint(name: str, file: str | None) -> str:
    """For the end of messages that a file is missing: it may lie beside the file that names it."""
    beside = os.path.join(os.path.dirname(file or ""), name)
    return f"; '{beside}' exists: start from the folder that the paths were written for" * os.path.exists(beside)


def _hint(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = [name for name in names if name.lower() == word.lower()] or difflib.get_close_matches(word, names, 1)
    return f"; did you mean '{close[0]}'?" if close else f" (known: {', '.join(names)})"
