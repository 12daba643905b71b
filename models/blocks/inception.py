"""GoogLeNet: Szegedy et al., "Going deeper with convolutions", CVPR 2015."""

from __future__ import annotations

from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L

from .imagenet import CLASSES, TEST
from .layers import AVE, dropout, fillers, norm, pool, rates

# outputs of 1x1, 3x3_reduce, 3x3, 5x5_reduce, 5x5, pool_proj
MODULES = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip
SIDE_LOSSES = {"4b": "loss1", "4e": "loss2"}  # before these modules, in training
# What the published deploy net says beside "xavier", which has no use for it.
STD = {"1x1": 0.03, "3x3_reduce": 0.09, "3x3": 0.03, "5x5_reduce": 0.2, "5x5": 0.03, "pool_proj": 0.1,
       "7x7_s2": 0.1}


def _filled(biases: float, **more: float) -> dict[str, Any]:
    return {"param": rates(), **fillers("xavier", biases, **more)}


def conv(n: NetSpec, bottom: Top, group: str, name: str, outputs: int, kernel: int = 1, deploy: bool = False,
         std: float | None = None, **options: Any) -> Top:
    """Convolution GROUP/NAME padded to keep the size, and the ReLU GROUP/relu_NAME."""
    if kernel > 1:
        options["pad"] = kernel // 2
    more = {"std": std or STD[name]} if deploy else {}
    n[f"{group}/{name}"] = top = L.Convolution(bottom, num_output=outputs, kernel_size=kernel, **options,
                                               **_filled(0.2, **more))
    relu = name.removesuffix("_s2")
    n[f"{group}/relu_{relu}"] = L.ReLU(top, in_place=True)
    return n[f"{group}/relu_{relu}"]


def module(n: NetSpec, bottom: Top, name: str, deploy: bool = False) -> Top:
    """Four paths side by side: 1x1, 3x3 and 5x5 behind fewer channels, pooling; stacked."""
    group, (ones, three_in, three, five_in, five, pooled) = f"inception_{name}", MODULES[name]
    paths = [conv(n, bottom, group, "1x1", ones, deploy=deploy)]
    top = conv(n, bottom, group, "3x3_reduce", three_in, deploy=deploy)
    paths.append(conv(n, top, group, "3x3", three, 3, deploy=deploy))
    top = conv(n, bottom, group, "5x5_reduce", five_in, deploy=deploy)
    paths.append(conv(n, top, group, "5x5", five, 5, deploy=deploy))
    n[f"{group}/pool"] = top = pool(bottom, 3, 1, pad=1)
    paths.append(conv(n, top, group, "pool_proj", pooled, deploy=deploy))
    n[f"{group}/output"] = L.Concat(*paths)
    return n[f"{group}/output"]


def ends(n: NetSpec, scores: Top, group: str, weight: float, loss: str, layer: str) -> None:
    """GROUP's loss of this weight, and the accuracies of one and five guesses, in tests."""
    n[f"{group}/{loss}"] = L.SoftmaxWithLoss(scores, n.label, loss_weight=weight, name=f"{group}/{layer}")
    n[f"{group}/top-1"] = L.Accuracy(scores, n.label, **TEST)
    n[f"{group}/top-5"] = L.Accuracy(scores, n.label, top_k=5, **TEST)


def classifier(n: NetSpec, bottom: Top, group: str) -> Top:
    """GROUP/classifier: scores of 1000 classes."""
    n[f"{group}/classifier"] = L.InnerProduct(bottom, num_output=CLASSES, **_filled(0))
    return n[f"{group}/classifier"]


def side_loss(n: NetSpec, bottom: Top, group: str) -> None:
    """A small classifier on features from the middle of the net; its loss counts 0.3."""
    n[f"{group}/ave_pool"] = L.Pooling(bottom, pool=AVE, kernel_size=5, stride=3)
    top = conv(n, n[f"{group}/ave_pool"], group, "conv", 128)
    n[f"{group}/fc"] = L.InnerProduct(top, num_output=1024, **_filled(0.2))
    n[f"{group}/relu_fc"] = L.ReLU(n[f"{group}/fc"], in_place=True)
    top = dropout(n, n[f"{group}/relu_fc"], f"{group}/drop_fc", 0.7)
    ends(n, classifier(n, top, group), group, 0.3, "loss1", "loss")


def googlenet(n: NetSpec, deploy: bool) -> Top:
    """From `data` to the scores loss3/classifier, with both side losses unless it is the net to deploy."""
    top = conv(n, n.data, "conv1", "7x7_s2", 64, 7, deploy, stride=2)
    n["pool1/3x3_s2"] = pool(top, 3)
    n["pool1/norm1"] = norm(n["pool1/3x3_s2"])
    top = conv(n, n["pool1/norm1"], "conv2", "3x3_reduce", 64, deploy=deploy, std=0.1)
    top = conv(n, top, "conv2", "3x3", 192, 3, deploy)
    n["conv2/norm2"] = norm(top)
    n["pool2/3x3_s2"] = top = pool(n["conv2/norm2"], 3)
    for name in MODULES:
        if name in SIDE_LOSSES and not deploy:
            side_loss(n, top, SIDE_LOSSES[name])
        top = module(n, top, name, deploy)
        if name in ("3b", "4e"):
            pooled = f"pool{name[0]}/3x3_s2"
            n[pooled] = top = pool(top, 3)
    n["pool5/7x7_s1"] = L.Pooling(top, pool=AVE, kernel_size=7, stride=1)
    top = dropout(n, n["pool5/7x7_s1"], "pool5/drop_7x7_s1", 0.4)
    return classifier(n, top, "loss3")
