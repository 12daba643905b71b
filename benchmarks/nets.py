"""Nets to time, as prototxts made here, with random weights. All take one image, `data` (1, 3, height, width)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import fcn8s
import numpy as np

import caffe
from caffe import layers as L
from caffe import params as P
from caffe_fcn.pycaffe.net_spec import Top

MSRA = {"type": "msra"}
SEED = 3


class _Builder:
    """A NetSpec, and the layers that all of these nets use."""

    def __init__(self, height: int, width: int) -> None:
        self.net = caffe.NetSpec()
        self.net.data = L.Input(input_param={"shape": {"dim": [1, 3, height, width]}})
        self.top = self.net.data

    def add(self, name: str, top: Top) -> Top:
        setattr(self.net, name, top)
        self.top = top
        return top

    def conv(self, name: str, outputs: int, kernel: int, bottom: Top | None = None, relu: bool = True,
             **more: int) -> Top:
        bottom = bottom or self.top
        top = self.add(name, L.Convolution(bottom, num_output=outputs, kernel_size=kernel, weight_filler=MSRA, **more))
        return self.add(f"relu_{name}", L.ReLU(top, in_place=True)) if relu else top

    def pool(self, name: str, kernel: int, stride: int, bottom: Top | None = None, method: str = "MAX",
             pad: int = 0) -> Top:
        return self.add(name, L.Pooling(bottom or self.top, pool=getattr(P.Pooling, method), kernel_size=kernel,
                                        stride=stride, pad=pad))

    def full(self, name: str, outputs: int, relu: bool = False) -> Top:
        top = self.add(name, L.InnerProduct(self.top, num_output=outputs, weight_filler=MSRA))
        return self.add(f"relu_{name}", L.ReLU(top, in_place=True)) if relu else top

    def text(self) -> str:
        return str(self.net.to_proto())


def _vgg_stages(b: _Builder, pad: int) -> list[Top]:
    """The five stages of VGG16 with the poolings between; returns the last blob of each stage."""
    ends = []
    for stage, (count, outputs) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)), 1):
        if stage > 1:
            b.pool(f"pool{stage - 1}", 2, 2)
        for i in range(1, count + 1):
            b.conv(f"conv{stage}_{i}", outputs, 3, pad=pad if stage == i == 1 else 1)
        ends.append(b.top)
    return ends


def vgg16(height: int, width: int) -> str:
    """K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014."""
    b = _Builder(height, width)
    _vgg_stages(b, 1)
    b.pool("pool5", 2, 2)
    b.full("fc6", 4096, relu=True)
    b.full("fc7", 4096, relu=True)
    b.add("prob", L.Softmax(b.full("fc8", 1000)))
    return b.text()


def hed(height: int, width: int) -> str:
    """S. Xie, Z. Tu: Holistically-Nested Edge Detection, 2015; the prediction from all five side outputs."""
    b = _Builder(height, width)
    sides = []
    for stage, end in enumerate(_vgg_stages(b, 35), 1):
        side = b.conv(f"score{stage}", 1, 1, end, relu=False)
        if stage > 1:
            step = 2 ** (stage - 1)
            side = b.add(f"up{stage}", L.Deconvolution(side, convolution_param={
                "num_output": 1, "kernel_size": 2 * step, "stride": step, "bias_term": False,
                "weight_filler": {"type": "bilinear"}}))
        sides.append(b.add(f"side{stage}", L.Crop(side, b.net.data, axis=2, offset=34)))
    b.add("all", L.Concat(*sides))
    b.add("edges", L.Sigmoid(b.conv("fuse", 1, 1, relu=False)))
    return b.text()


def caffenet(height: int, width: int) -> str:
    """A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet Classification with Deep Convolutional Networks, 2012."""
    b = _Builder(height, width)
    b.conv("conv1", 96, 11, stride=4)
    b.pool("pool1", 3, 2)
    b.add("norm1", L.LRN(b.top, local_size=5, alpha=1e-4, beta=0.75))
    b.conv("conv2", 256, 5, pad=2, group=2)
    b.pool("pool2", 3, 2)
    b.add("norm2", L.LRN(b.top, local_size=5, alpha=1e-4, beta=0.75))
    b.conv("conv3", 384, 3, pad=1)
    b.conv("conv4", 384, 3, pad=1, group=2)
    b.conv("conv5", 256, 3, pad=1, group=2)
    b.pool("pool5", 3, 2)
    b.full("fc6", 4096, relu=True)
    b.full("fc7", 4096, relu=True)
    b.add("prob", L.Softmax(b.full("fc8", 1000)))
    return b.text()


def _normalised(b: _Builder, name: str, outputs: int, kernel: int, bottom: Top | None = None, relu: bool = True,
                **more: int) -> Top:
    b.conv(name, outputs, kernel, bottom, relu=False, bias_term=False, **more)
    b.add(f"bn_{name}", L.BatchNorm(b.top, in_place=True))
    b.add(f"scale_{name}", L.Scale(b.top, in_place=True, bias_term=True))
    return b.add(f"relu_{name}", L.ReLU(b.top, in_place=True)) if relu else b.top


def resnet50(height: int, width: int) -> str:
    """K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition, 2015."""
    b = _Builder(height, width)
    _normalised(b, "conv1", 64, 7, pad=3, stride=2)
    b.pool("pool1", 3, 2)
    for stage, (blocks, inner) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 2):
        for i in range(blocks):
            start, stride, name = b.top, 2 if stage > 2 and i == 0 else 1, f"res{stage}{chr(ord('a') + i)}"
            short = start if i else _normalised(b, f"{name}_1", 4 * inner, 1, start, relu=False, stride=stride)
            _normalised(b, f"{name}_2a", inner, 1, start, stride=stride)
            _normalised(b, f"{name}_2b", inner, 3, pad=1)
            _normalised(b, f"{name}_2c", 4 * inner, 1, relu=False)
            b.add(name, L.Eltwise(short, b.top))
            b.add(f"relu_{name}", L.ReLU(b.top, in_place=True))
    b.add("pool5", L.Pooling(b.top, pool=P.Pooling.AVE, global_pooling=True))
    b.add("prob", L.Softmax(b.full("fc1000", 1000)))
    return b.text()


INCEPTION = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64), "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(height: int, width: int) -> str:
    """C. Szegedy and others: Going Deeper with Convolutions, 2014; without its two side classifiers."""
    b = _Builder(height, width)
    b.conv("conv1", 64, 7, pad=3, stride=2)
    b.pool("pool1", 3, 2)
    b.add("norm1", L.LRN(b.top, local_size=5, alpha=1e-4, beta=0.75))
    b.conv("conv2_reduce", 64, 1)
    b.conv("conv2", 192, 3, pad=1)
    b.add("norm2", L.LRN(b.top, local_size=5, alpha=1e-4, beta=0.75))
    b.pool("pool2", 3, 2)
    for name, (one, before3, three, before5, five, pooled) in INCEPTION.items():
        if name in ("4a", "5a"):
            b.pool(f"pool_{name}", 3, 2)
        start = b.top
        tops = [b.conv(f"{name}_1x1", one, 1, start)]
        b.conv(f"{name}_3x3_reduce", before3, 1, start)
        tops.append(b.conv(f"{name}_3x3", three, 3, pad=1))
        b.conv(f"{name}_5x5_reduce", before5, 1, start)
        tops.append(b.conv(f"{name}_5x5", five, 5, pad=2))
        b.pool(f"{name}_pool", 3, 1, start, pad=1)
        tops.append(b.conv(f"{name}_pool_proj", pooled, 1))
        b.add(f"inception_{name}", L.Concat(*tops))
    b.pool("pool5", 7, 1, method="AVE")
    b.add("prob", L.Softmax(b.full("fc", 1000)))
    return b.text()


class Case(NamedTuple):
    """A net at one size of the image."""

    prototxt: Callable[[int, int], str]
    height: int
    width: int


CASES = {
    "FCN-8s 500x334": Case(fcn8s.prototxt, 334, 500),
    "FCN-8s 500x500": Case(fcn8s.prototxt, 500, 500),
    "HED 480x360": Case(hed, 360, 480),
    "VGG16 224": Case(vgg16, 224, 224),
    "CaffeNet 224": Case(caffenet, 224, 224),
    "ResNet-50 224": Case(resnet50, 224, 224),
    "GoogLeNet 224": Case(googlenet, 224, 224),
}


def write_files(case: Case, folder: Path) -> tuple[Path, Path]:
    """Write the net and random weights for it; returns (prototxt, caffemodel)."""
    net_file, weight_file = folder / "net.prototxt", folder / "net.caffemodel"
    net_file.write_text(case.prototxt(case.height, case.width), encoding="utf-8")
    caffe.set_random_seed(SEED)
    net = caffe.Net(str(net_file), caffe.TEST)
    if case.prototxt is fcn8s.prototxt:
        fcn8s.set_weights(net)
    for name, layer in net.layer_dict.items():
        if layer.type == "BatchNorm":
            for blob in net.params[name]:
                blob.data[...] = blob is not net.params[name][0]  # mean 0, variance 1, factor 1
    net.save(str(weight_file))
    return net_file, weight_file


def image(case: Case) -> np.ndarray:
    """Preprocessed noise of the case's size."""
    return fcn8s.random_image(case.height, case.width)
