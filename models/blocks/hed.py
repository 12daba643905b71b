"""HED: Xie and Tu, "Holistically-nested edge detection", ICCV 2015."""

from __future__ import annotations

from typing import Any

from caffe_fcn.proto import caffe_pb2
from caffe_fcn.pycaffe.coord_map import crop
from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L

from . import vgg
from .layers import rates

SIDES = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")
ENGINE = {"engine": caffe_pb2.ConvolutionParameter.CAFFE}


def _options(stage: int) -> dict[str, Any]:
    return {"param": rates(100 if stage == 5 else 1), **ENGINE}


def _one(bottom: Top, rate: float, **options: Any) -> Top:
    """One channel from features."""
    return L.Convolution(bottom, num_output=1, kernel_size=1, param=rates(rate), **ENGINE, **options)


def _side(n: NetSpec, number: int) -> Top:
    """Edges seen by a stage, at the size of the image."""
    score, up = f"score-dsn{number}", f"score-dsn{number}-up"
    if number == 1:
        n[up] = _one(n[SIDES[0]], 0.01, name=score)
    else:
        factor = 2 ** (number - 1)
        n[score] = _one(n[SIDES[number - 1]], 0.01)
        n[up] = L.Deconvolution(n[score], name=f"upsample_{factor}", param=rates(0),
                                convolution_param={"num_output": 1, "kernel_size": 2 * factor, "stride": factor})
    cropped = crop(n[up], n.data)
    cropped.fn.params["name"] = f"crop{number}"
    n[f"upscore-dsn{number}"] = cropped
    return cropped


def _end(n: NetSpec, scores: Top, kind: str, loss: str) -> None:
    """Probabilities where there is no label, else the loss."""
    if "label" in n.tops:
        n[loss] = L.ClassBalancedSigmoidCrossEntropyLoss(scores, n.label, loss_weight=1)
    else:
        n[f"sigmoid-{kind}"] = L.Sigmoid(scores)


def hed(n: NetSpec) -> None:
    """From `data` to five side outputs and their weighted sum; each with a loss, or as probabilities."""
    vgg.trunk(n, n.data, 35, _options, pools=4)
    sides = []
    for number in range(1, 6):
        sides.append(_side(n, number))
        _end(n, sides[-1], f"dsn{number}", f"dsn{number}_loss")
    n["concat-upscore"] = L.Concat(*sides, name="concat", concat_dim=1)
    rate = 0.001 if "label" in n.tops else 0.01
    n["upscore-fuse"] = _one(n["concat-upscore"], rate, name="new-score-weighting",
                             weight_filler={"type": "constant", "value": 0.2})
    _end(n, n["upscore-fuse"], "fuse", "fuse_loss")
