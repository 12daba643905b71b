"""AlexNet and CaffeNet: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
networks", NIPS 2012. CaffeNet pools before it normalizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L

from .layers import conv_relu, fc_relu, norm, pool

# outputs, kernel and whatever else a convolution needs
CONVOLUTIONS: dict[str, dict[str, int]] = {
    "conv1": {"num_output": 96, "kernel_size": 11, "stride": 4},
    "conv2": {"num_output": 256, "kernel_size": 5, "pad": 2, "group": 2},
    "conv3": {"num_output": 384, "kernel_size": 3, "pad": 1},
    "conv4": {"num_output": 384, "kernel_size": 3, "pad": 1, "group": 2},
    "conv5": {"num_output": 256, "kernel_size": 3, "pad": 1, "group": 2},
}
Options = Callable[[str], dict[str, Any]]  # more fields of a layer, by its name


def plain(name: str) -> dict[str, Any]:
    """No more fields."""
    return {}


def trunk(n: NetSpec, bottom: Top, options: Options = plain, pool_first: bool = True) -> Top:
    """conv1 to pool5.

    pool_first  CaffeNet's order; False: AlexNet's
    """
    top = bottom
    for name, fields in CONVOLUTIONS.items():
        given = {**fields, **options(name)}
        top = conv_relu(n, top, name, given.pop("num_output"), **given)
        number = name[-1]
        if number in "12":
            for kind in ("pool", "norm") if pool_first else ("norm", "pool"):
                n[kind + number] = top = pool(top, 3) if kind == "pool" else norm(top)
    n.pool5 = pool(top, 3)
    return n.pool5


def classifier(n: NetSpec, bottom: Top, options: Options = plain) -> Top:
    """fc6, fc7 and fc8: the scores of 1000 classes, of this trunk as of VGG-16's."""
    top = bottom
    for number in ("6", "7"):
        top = fc_relu(n, top, number, 4096, **options(f"fc{number}"))
    n.fc8 = L.InnerProduct(top, num_output=1000, **options("fc8"))
    return n.fc8
