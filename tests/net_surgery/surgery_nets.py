"""Small nets with random weights to operate on."""

from __future__ import annotations

import numpy as np

from caffe_fcn.proto import caffe_pb2, text
from net_surgery import Model
from net_surgery.checks import runnable

CONV = (
    "layer {{ name: '{0}' type: 'Convolution' bottom: '{1}' top: '{0}' convolution_param {{ num_output: {2} {3} }} }}\n"
)


def conv(name: str, bottom: str, outputs: int, more: str = "kernel_size: 3") -> str:
    """A Convolution in text."""
    return CONV.format(name, bottom, outputs, more)


def layer(name: str, kind: str, bottom: str, top: str | None = None, more: str = "") -> str:
    """A layer in text; in place unless it has a top. Several bottoms or tops are separated by blanks."""
    bottoms = " ".join(f"bottom: '{each}'" for each in bottom.split())
    tops = " ".join(f"top: '{each}'" for each in (top or bottom).split())
    return f"layer {{ name: '{name}' type: '{kind}' {bottoms} {tops} {more} }}\n"


def inputs(*shape: int, name: str = "data") -> str:
    """An Input layer in text."""
    dims = " ".join(f"dim: {size}" for size in shape)
    return f"layer {{ name: '{name}' type: 'Input' top: '{name}' input_param {{ shape {{ {dims} }} }} }}\n"


def random_model(source: str, shapes: dict[str, tuple[int, ...]] | None = None, seed: int = 0) -> Model:
    """The Model of a text, all weights random; BatchNorm's as if it had seen ten batches."""
    model = Model(text.parse(source, caffe_pb2.NetParameter()))
    generator = np.random.default_rng(seed)
    net = runnable(model, shapes)
    for name, blobs in net.params.items():
        for blob in blobs:
            blob.data[...] = generator.standard_normal(blob.shape) / max(blob.count / blob.shape[0], 1) ** 0.5
        if net.layer_dict[name].type == "BatchNorm":
            blobs[1].data[...] = np.abs(blobs[1].data) * 1000
            blobs[2].data[...] = 10
    return model.with_weights_of(net)
