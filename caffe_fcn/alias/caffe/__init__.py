"""`import caffe`: the public names of caffe_fcn under the name that scripts use."""

from caffe_fcn import (
    TEST,
    TRAIN,
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    Blob,
    Layer,
    NesterovSolver,
    Net,
    RMSPropSolver,
    SGDSolver,
    __version__,
    get_solver,
    layer_type_list,
    register,
    set_device,
    set_mode_cpu,
    set_mode_gpu,
    set_random_seed,
)

from . import proto

__all__ = [
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "Layer",
    "NesterovSolver",
    "Net",
    "RMSPropSolver",
    "SGDSolver",
    "__version__",
    "get_solver",
    "layer_type_list",
    "proto",
    "register",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
]
