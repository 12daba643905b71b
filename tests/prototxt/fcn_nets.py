"""The fully convolutional nets of Shelhamer, Long and Darrell (PAMI 2017), narrow, as NetParameters."""

from __future__ import annotations

import caffe
from caffe import layers as L
from caffe import params as P
from caffe.coord_map import crop

CLASSES = 21
DEPTHS = (2, 2, 3, 3, 3)  # convolutions of each stage


def fcn(stride, train=False, size=500, pad=100):
    """FCN-32s, 16s or 8s. The net for training has labels, a loss and an accuracy."""
    n = caffe.NetSpec()
    if train:
        n.data, n.label = L.Python(module="voc_layers", layer="VOCSegDataLayer", ntop=2, param_str="{}")
    else:
        n.data = L.Input(shape={"dim": [1, 3, size, size]})
    below = n.data
    for stage, depth in enumerate(DEPTHS, 1):
        for i in range(1, depth + 1):
            first = stage == i == 1
            conv = L.Convolution(below, num_output=4 * stage, kernel_size=3, pad=pad if first else 1)
            n[f"conv{stage}_{i}"] = conv
            n[f"relu{stage}_{i}"] = below = L.ReLU(conv, in_place=True)
        n[f"pool{stage}"] = below = L.Pooling(below, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    for number, kernel in ((6, 7), (7, 1)):
        n[f"fc{number}"] = L.Convolution(below, num_output=32, kernel_size=kernel)
        n[f"relu{number}"] = L.ReLU(n[f"fc{number}"], in_place=True)
        n[f"drop{number}"] = below = L.Dropout(n[f"relu{number}"], dropout_ratio=0.5, in_place=True)
    n.score_fr = L.Convolution(below, num_output=CLASSES, kernel_size=1)
    n.score = crop(_fused(n, stride), n.data)
    if train:
        n.loss = L.SoftmaxWithLoss(n.score, n.label, loss_param={"normalize": False, "ignore_label": 255})
        n.accuracy = L.Accuracy(n.score, n.label, ignore_label=255)
    net = n.to_proto()
    net.name = f"fcn{stride}s"
    return net


def _fused(n, stride):
    """The scores with those of finer stages added, at the size of the input."""
    top = n.score_fr
    for stage in (4, 3)[: {32: 0, 16: 1, 8: 2}[stride]]:
        up = "upscore2" if stage == 4 else "upscore_pool4"
        n[up] = _up(top, 2)
        score = n[f"score_pool{stage}"] = L.Convolution(n[f"pool{stage}"], num_output=CLASSES, kernel_size=1)
        n[f"score_pool{stage}c"] = crop(score, n[up])
        n[f"fuse_pool{stage}"] = top = L.Eltwise(n[up], n[f"score_pool{stage}c"], operation=P.Eltwise.SUM)
    n.upscore = _up(top, stride)
    return n.upscore


def _up(bottom, factor):
    size = {"num_output": CLASSES, "kernel_size": 2 * factor, "stride": factor, "bias_term": False}
    return L.Deconvolution(bottom, convolution_param=size, param=[{"lr_mult": 0}])
