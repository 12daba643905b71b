"""`import caffe`: the public names of caffe_fcn under the name that scripts use, loaded when first asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import caffe_fcn
from caffe_fcn import TEST, TRAIN, __version__

from . import proto

if TYPE_CHECKING:
    from caffe_fcn import (
        NCCL,
        AdaDeltaSolver,
        AdaGradSolver,
        AdamSolver,
        Blob,
        Classifier,
        Detector,
        Layer,
        NesterovSolver,
        Net,
        NetSpec,
        RMSPropSolver,
        SGDSolver,
        Timer,
        get_solver,
        has_nccl,
        init_log,
        layer_type_list,
        log,
        prefetch,
        register,
        set_device,
        set_mode_cpu,
        set_mode_gpu,
        set_multiprocess,
        set_random_seed,
        set_solver_count,
        set_solver_rank,
        solver_count,
        solver_rank,
        to_proto,
    )
    from caffe_fcn.pycaffe.net_spec import layers, params

    from . import _caffe, classifier, coord_map, detector, draw, io, net_spec, pycaffe

_MODULES = ("_caffe", "classifier", "coord_map", "detector", "draw", "io", "net_spec", "pycaffe")

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "Classifier",
    "Detector",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "Timer",
    "__version__",
    "_caffe",
    "classifier",
    "coord_map",
    "detector",
    "draw",
    "get_solver",
    "has_nccl",
    "init_log",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "net_spec",
    "params",
    "prefetch",
    "proto",
    "pycaffe",
    "register",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'caffe' has no attribute '{name}'")
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")  # which also sets the attribute
    # the two tables of NetSpec; in caffe_fcn these names are modules of the engine
    source = importlib.import_module(".net_spec", __name__) if name in ("layers", "params") else caffe_fcn
    value = getattr(source, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
