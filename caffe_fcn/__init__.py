"""Runs, trains and edits Caffe's fully convolutional nets without Caffe.

`import caffe` gives the same objects under the name that scripts use.
"""

from .blob import Blob
from .layers import Layer, layer_type_list, register
from .mode import set_device, set_mode_cpu, set_mode_gpu, set_random_seed
from .net import Net

TRAIN, TEST = 0, 1
__version__ = "0.1.0"

__all__ = [
    "TEST",
    "TRAIN",
    "Blob",
    "Layer",
    "Net",
    "__version__",
    "layer_type_list",
    "register",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_random_seed",
]
