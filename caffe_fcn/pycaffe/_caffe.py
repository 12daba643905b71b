"""The names of the original's compiled module, `caffe._caffe`, for scripts that reach into it."""

from __future__ import annotations

from typing import Any

from ..blob import Blob as _Blob
from ..blob import BlobVec
from ..layers import Layer, layer_type_list
from ..mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from ..net import Net
from ..proto.caffe_pb2 import LayerParameter
from ..solvers import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    Solver,
    get_solver,
)
from ..solvers.param import SolverParameter
from ..vectors import StringVec
from .log import init_log, log
from .parallel import (
    NCCL,
    has_nccl,
    set_multiprocess,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from .timer import Timer

IntVec = DtypeVec = BoolVec = LayerVec = NetVec = RawBlobVec = list

__all__ = [
    "NCCL",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "BlobVec",
    "BoolVec",
    "DtypeVec",
    "IntVec",
    "Layer",
    "LayerParameter",
    "LayerVec",
    "NesterovSolver",
    "Net",
    "NetVec",
    "RMSPropSolver",
    "RawBlobVec",
    "SGDSolver",
    "Solver",
    "SolverParameter",
    "StringVec",
    "Timer",
    "get_solver",
    "has_nccl",
    "init_log",
    "layer_type_list",
    "log",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
]


class _MadeByNets(type):
    """The class `caffe._caffe.Blob`: every blob is an instance, but only nets make them."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, _Blob)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("blobs of this class are made by nets; caffe_fcn.Blob(shape) makes one that stands alone")


class Blob(_Blob, metaclass=_MadeByNets):
    """For `isinstance(blob, caffe._caffe.Blob)`."""

    __slots__ = ()
