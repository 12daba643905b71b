"""The FCNs on VGG-16 that differ in their data alone: PASCAL VOC, NYUDv2, SIFT Flow, PASCAL-Context.

Names, folders of the data and numbers are those of the published nets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec

from . import fcn, vgg
from .data import VOC_MEAN, image, python
from .files import Nets

VOC_CLASSES, NYUD_CLASSES, CONTEXT_CLASSES = 21, 40, 60  # VOC and PASCAL-Context count the background
SIFTFLOW_CLASSES = {"sem": 33, "geo": 3}
RATES = {0: 1e-10, 1: 1e-12, 2: 1e-14}  # by the number of skips: finer nets start from coarser ones
Body = Callable[[NetSpec, bool], None]  # adds scores and losses to a net; whether it is the one to deploy


def sbd_train() -> NetSpec:
    """Photos and labels of the Semantic Boundaries Dataset (Hariharan et al., 2011)."""
    return python("voc_layers", "SBDDSegDataLayer", ("data", "label"), sbdd_dir="../data/sbdd/dataset", split="train",
                  mean=VOC_MEAN)


def voc_val() -> NetSpec:
    """Those photos of VOC 2011's validation set that are not in SBD's training set."""
    return python("voc_layers", "VOCSegDataLayer", ("data", "label"), voc_dir="../data/pascal/VOC2011",
                  split="seg11valid", mean=VOC_MEAN)


def nyud(split: str, tops: Mapping[str, str]) -> NetSpec:
    """NYUDv2; `tops` are the names of blobs and what they hold: color, depth, hha, label or mask."""
    return python("nyud_layers", "NYUDSegDataLayer", tuple(tops), nyud_dir="../data/nyud", split=split,
                  tops=list(tops.values()))


def _built(n: NetSpec, body: Body, deploy: bool = False) -> Any:
    body(n, deploy)
    return n.to_proto()


def _one_stream(classes: int, skips: Sequence[str] = (), scales: Mapping[str, float] | None = None) -> Body:
    """`data` to `score`, and the loss where there is a `label`."""

    def body(n: NetSpec, deploy: bool) -> None:
        features = vgg.features(n, n.data, deploy=deploy)
        scores = fcn.head(n, features, classes, n.data, skips, scales=scales)
        fcn.softmax_loss(n, scores, "label")

    return body


def voc_nets(skips: Sequence[str] = (), scales: Mapping[str, float] | None = None, base_lr: float | None = None,
             max_iter: int = 100000) -> Nets:
    """The files of an FCN on PASCAL VOC.

    skips, scales  see fcn.head
    base_lr        by default that of a net which starts from the next coarser one
    """
    body = _one_stream(VOC_CLASSES, skips, scales)
    rate = RATES[len(skips)] if base_lr is None else base_lr
    return {"train": _built(sbd_train(), body), "val": _built(voc_val(), body), "deploy": _built(image(), body, True),
            "solver": fcn.solver("train", "val", 736, rate, max_iter)}


def context_nets(skips: Sequence[str] = ()) -> Nets:
    """The files of an FCN on PASCAL-Context, 59 classes and the background; `skips`: see fcn.head."""

    def source(split: str) -> NetSpec:
        return python("pascalcontext_layers", "PASCALContextSegDataLayer", ("data", "label"), voc_dir="../data/pascal",
                      context_dir="../data/pascal-context", split=split)

    body = _one_stream(CONTEXT_CLASSES, skips)
    return {"train": _built(source("train"), body), "val": _built(source("val"), body),
            "deploy": _built(image(), body, True),
            "solver": fcn.solver("train", "val", 5105, RATES[len(skips)], 300000)}


def siftflow_nets(skips: Sequence[str] = ()) -> Nets:
    """The files of an FCN on SIFT Flow with two heads, semantic and geometric classes; `skips`: see fcn.head.

    The published solver for 8s has the rate of 16s.
    """

    def source(split: str) -> NetSpec:
        return python("siftflow_layers", "SIFTFlowSegDataLayer", ("data", "sem", "geo"),
                      siftflow_dir="../data/sift-flow", split=split)

    def body(n: NetSpec, deploy: bool) -> None:
        features = vgg.features(n, n.data, deploy=deploy)
        for kind, classes in SIFTFLOW_CLASSES.items():
            scores = fcn.head(n, features, classes, n.data, skips, suffix=f"_{kind}")
            # the semantic loss has the plain name, by which programs that score nets find it
            fcn.softmax_loss(n, scores, kind, "loss" if kind == "sem" else f"loss_{kind}")

    return {"trainval": _built(source("trainval"), body), "test": _built(source("test"), body),
            "deploy": _built(image(256), body, True),
            "solver": fcn.solver("trainval", "test", 200, RATES[min(len(skips), 1)], 300000, snapshot=0)}


def nyud_nets(tops: Mapping[str, str], deploy: NetSpec, body: Body | None = None, base_lr: float = 1e-10) -> Nets:
    """The files of an FCN-32s on NYUDv2.

    tops    see `nyud`
    deploy  its inputs for one image
    body    by default from `data` to `score`
    """
    body = body or _one_stream(NYUD_CLASSES)
    labelled = {**tops, "label": "label"}
    return {"trainval": _built(nyud("trainval", labelled), body), "test": _built(nyud("test", labelled), body),
            "deploy": _built(deploy, body, True),
            "solver": fcn.solver("trainval", "test", 654, base_lr, 300000, snapshot=2000)}
