"""Runs, trains and edits Caffe's fully convolutional nets without Caffe.

`import caffe` gives the same objects under the name that scripts use. Names are loaded when first asked for, so
that the small commands start without the engine.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import stats
    from .blob import Blob
    from .data.python_layers import prefetch
    from .gpu.graphs import cuda_graphs, set_cuda_graphs
    from .layers import Layer, layer_type_list, register
    from .mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
    from .net import Net
    from .ops.cpu.threads import set_num_threads
    from .precision import matmul_precision, set_matmul_precision
    from .pycaffe.classifier import Classifier
    from .pycaffe.detector import Detector
    from .pycaffe.log import init_log, log
    from .pycaffe.net_spec import NetSpec, to_proto
    from .pycaffe.parallel import (
        NCCL,
        has_nccl,
        set_multiprocess,
        set_solver_count,
        set_solver_rank,
        solver_count,
        solver_rank,
    )
    from .pycaffe.timer import Timer
    from .solvers import (
        AdaDeltaSolver,
        AdaGradSolver,
        AdamSolver,
        NesterovSolver,
        RMSPropSolver,
        SGDSolver,
        get_solver,
    )

TRAIN, TEST = 0, 1
__version__ = "0.1.0"

_HOMES = {
    "blob": ("Blob",),
    "data.python_layers": ("prefetch",),
    "gpu.graphs": ("cuda_graphs", "set_cuda_graphs"),
    "layers": ("Layer", "layer_type_list", "register"),
    "mode": ("set_device", "set_mode_cpu", "set_mode_gpu", "set_random_seed"),
    "net": ("Net",),
    "ops.cpu.threads": ("set_num_threads",),
    "precision": ("matmul_precision", "set_matmul_precision"),
    "pycaffe.classifier": ("Classifier",),
    "pycaffe.detector": ("Detector",),
    "pycaffe.log": ("init_log", "log"),
    "pycaffe.net_spec": ("NetSpec", "to_proto"),
    "pycaffe.parallel": ("NCCL", "has_nccl", "set_multiprocess", "set_solver_count", "set_solver_rank",
                         "solver_count", "solver_rank"),
    "pycaffe.timer": ("Timer",),
    "solvers": ("AdaDeltaSolver", "AdaGradSolver", "AdamSolver", "NesterovSolver", "RMSPropSolver", "SGDSolver",
                "get_solver"),
}
_MODULES = ("stats",)
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

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
    "cuda_graphs",
    "get_solver",
    "has_nccl",
    "init_log",
    "layer_type_list",
    "log",
    "matmul_precision",
    "prefetch",
    "register",
    "set_cuda_graphs",
    "set_device",
    "set_matmul_precision",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_num_threads",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "stats",
    "to_proto",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        if name in _MODULES:
            return importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module 'caffe_fcn' has no attribute '{name}'")
    value = getattr(importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
