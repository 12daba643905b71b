"""Runs, trains and edits Caffe's fully convolutional nets without Caffe.

`import caffe` gives the same objects under the name that scripts use.
"""

from .blob import Blob
from .layers import Layer, layer_type_list, register
from .mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from .net import Net
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
    "register",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
]
