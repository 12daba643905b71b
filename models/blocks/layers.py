"""Single layers with the learning rates of the published nets: biases learn twice as fast and do not decay."""

from __future__ import annotations

from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn.pycaffe.net_spec import params as P

MAX, AVE = P.Pooling.MAX, P.Pooling.AVE


def rates(weights: float = 1) -> list[dict[str, float]]:
    """`param` of a layer with weights and biases."""
    return [{"lr_mult": weights, "decay_mult": 1}, {"lr_mult": 2 * weights, "decay_mult": 0}]


def conv_relu(n: NetSpec, bottom: Top, name: str, outputs: int, relu: str = "", **options: Any) -> Top:
    """Convolution `name` and a ReLU in place, by default named `relu` and what follows the letters of `name`."""
    n[name] = L.Convolution(bottom, num_output=outputs, **options)
    relu = relu or "relu" + name.lstrip("abcdefghijklmnopqrstuvwxyz")
    n[relu] = L.ReLU(n[name], in_place=True)
    return n[relu]


def fc_relu(n: NetSpec, bottom: Top, number: str, outputs: int, **options: Any) -> Top:
    """InnerProduct `fc6`, ReLU `relu6`, Dropout `drop6` of one half, for the number 6."""
    n[f"fc{number}"] = L.InnerProduct(bottom, num_output=outputs, **options)
    n[f"relu{number}"] = L.ReLU(n[f"fc{number}"], in_place=True)
    return dropout(n, n[f"relu{number}"], f"drop{number}")


def dropout(n: NetSpec, bottom: Top, name: str, ratio: float = 0.5) -> Top:
    """Dropout in place."""
    n[name] = L.Dropout(bottom, dropout_ratio=ratio, in_place=True)
    return n[name]


def pool(bottom: Top, kernel: int = 2, stride: int = 2, **options: Any) -> Top:
    """The largest of each window."""
    return L.Pooling(bottom, pool=MAX, kernel_size=kernel, stride=stride, **options)


def norm(bottom: Top) -> Top:
    """Local response normalization as AlexNet has it; Krizhevsky, Sutskever and Hinton, 2012."""
    return L.LRN(bottom, local_size=5, alpha=1e-4, beta=0.75)


def fillers(weights: str, biases: float, **more: float) -> dict[str, dict[str, Any]]:
    """`weight_filler` of a type with its settings, and a constant `bias_filler`."""
    return {"weight_filler": {"type": weights, **more}, "bias_filler": {"type": "constant", "value": biases}}
