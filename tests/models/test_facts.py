"""Sizes, parameters, offsets, rates and receptive fields of the family, as published where they were."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest

import caffe_fcn_models
from caffe_fcn.coord_map import CoordMaps
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse
from caffe_fcn.proto.upgrade import read_net
from caffe_fcn.prototxt.cost import net_cost
from caffe_fcn.prototxt.shapes import Sizes, net_shapes

OFFSETS = {0: (19,), 1: (5, 27), 2: (5, 9, 31)}  # of the crops, by the number of skips


class Facts(NamedTuple):
    """Of a deploy net."""

    layers: int
    params: int
    outputs: dict[str, tuple[int, ...]]  # for images of FCN pixels
    offsets: tuple[int, ...] = ()


FCN = (97, 130)
FACTS = {
    "voc-fcn32s": Facts(39, 136152917, {"score": (1, 21, *FCN)}, OFFSETS[0]),
    "voc-fcn16s": Facts(43, 134815994, {"score": (1, 21, *FCN)}, OFFSETS[1]),
    "voc-fcn8s": Facts(47, 134489759, {"score": (1, 21, *FCN)}, OFFSETS[2]),
    "voc-fcn8s-atonce": Facts(49, 134490527, {"score": (1, 21, *FCN)}, OFFSETS[2]),
    "voc-fcn-alexnet": Facts(23, 58704590, {"score": (1, 21, *FCN)}, (18,)),
    "nyud-fcn32s-color": Facts(39, 140978024, {"score": (1, 40, *FCN)}, OFFSETS[0]),
    "nyud-fcn32s-hha": Facts(39, 140978024, {"score": (1, 40, *FCN)}, OFFSETS[0]),
    "nyud-fcn32s-color-d": Facts(41, 140978600, {"score": (1, 40, *FCN)}, OFFSETS[0]),
    "nyud-fcn32s-color-hha": Facts(77, 275402448, {"score": (1, 40, *FCN)}, OFFSETS[0]),
    "siftflow-fcn32s": Facts(42, 138905444, {"score_sem": (1, 33, *FCN), "score_geo": (1, 3, *FCN)}, OFFSETS[0] * 2),
    "siftflow-fcn16s": Facts(50, 135568424, {"score_sem": (1, 33, *FCN), "score_geo": (1, 3, *FCN)}, OFFSETS[1] * 2),
    "siftflow-fcn8s": Facts(58, 134751980, {"score_sem": (1, 33, *FCN), "score_geo": (1, 3, *FCN)}, OFFSETS[2] * 2),
    "pascalcontext-fcn32s": Facts(39, 149251964, {"score": (1, 60, *FCN)}, OFFSETS[0]),
    "pascalcontext-fcn16s": Facts(43, 138281144, {"score": (1, 60, *FCN)}, OFFSETS[1]),
    "pascalcontext-fcn8s": Facts(47, 135589364, {"score": (1, 60, *FCN)}, OFFSETS[2]),
    "pose-fcn32s": Facts(40, 134375246, {"heat": (1, 14, *FCN)}, OFFSETS[0]),
    "depth-fcn": Facts(43, 134266194, {"score": (1, 1, *FCN)}, OFFSETS[1]),
    "hed": Facts(53, 14717535, {f"sigmoid-{side}": (1, 1, *FCN) for side in
                                ("dsn1", "dsn2", "dsn3", "dsn4", "dsn5", "fuse")}, (34, 35, 36, 38, 42)),
}  # fmt: skip
CLASSIFIERS = {  # at the sizes of their own
    "alexnet": Facts(24, 60965224, {"prob": (10, 1000)}),
    "caffenet": Facts(24, 60965224, {"prob": (10, 1000)}),
    "caffenet-full-conv": Facts(24, 60965224, {"prob": (1, 1000, 8, 8)}),
    "googlenet": Facts(143, 6998552, {"prob": (10, 1000)}),
    "vgg16": Facts(40, 138357544, {"prob": (10, 1000)}),
    # 25557032 that learn, the statistics of 53 BatchNorms with their scales, and the biases of conv1
    "resnet50": Facts(229, 25557032 + 53120 + 53 + 64, {"prob": (1, 1000)}),
}


def read(name, file="deploy"):
    """A net of the family."""
    return read_net(str(caffe_fcn_models.folder(name) / f"{file}.prototxt"))


def solver(name, file="solver"):
    """A solver of the family."""
    text = (caffe_fcn_models.folder(name) / f"{file}.prototxt").read_text()
    return parse(text, caffe_pb2.SolverParameter())


def last_blobs(shapes):
    """The blobs that no layer takes, with their shapes."""
    blobs = {name: shape for row in shapes.layers for name, shape in zip(row.param.top, row.tops, strict=True)}
    taken = {name for row in shapes.layers for name in row.param.bottom if name not in row.param.top}
    return {name: shape for name, shape in blobs.items() if name not in taken}


@pytest.mark.parametrize("name", [*FACTS, *CLASSIFIERS])
def test_deploy_nets(name):
    net, facts = read(name), {**FACTS, **CLASSIFIERS}[name]
    shapes = net_shapes(net, caffe_pb2.TEST, Sizes(FCN) if name in FACTS else None)
    assert len(net.layer) == facts.layers
    assert net_cost(shapes).params == facts.params
    assert last_blobs(shapes) == facts.outputs
    assert tuple(offset for layer in net.layer for offset in layer.crop_param.offset) == facts.offsets


FIELDS = [
    ("voc-fcn32s", "score_fr", 404, 32), ("voc-fcn-alexnet", "score_fr", 355, 32),  # FCN, table 1
    ("googlenet", "pool5/7x7_s1", 907, 32),  # FCN, table 1
    ("hed", "conv1_2", 5, 1), ("hed", "conv2_2", 14, 2), ("hed", "conv3_3", 40, 4), ("hed", "conv4_3", 92, 8),
    ("hed", "conv5_3", 196, 16),  # HED, table 1
    ("vgg16", "pool5", 212, 32), ("alexnet", "pool5", 195, 32), ("caffenet-full-conv", "fc8-conv", 355, 32),
    ("resnet50", "res5c", 483, 32),
    ("pose-fcn32s", "score_fr", 404, 32), ("depth-fcn", "score_pool4", 100, 16),
]  # fmt: skip


@pytest.mark.parametrize(("name", "blob", "size", "stride"), FIELDS)
def test_receptive_fields(name, blob, size, stride):
    field = CoordMaps(read(name)).receptive_field(blob, "data")
    assert (set(field.size), set(field.stride)) == ({size}, {stride})


SOLVERS = {  # rate, iterations, images of a test
    "voc-fcn32s": (1e-10, 100000, 736), "voc-fcn16s": (1e-12, 100000, 736), "voc-fcn8s": (1e-14, 100000, 736),
    "voc-fcn8s-atonce": (1e-10, 300000, 736), "voc-fcn-alexnet": (1e-4, 100000, 736),
    "nyud-fcn32s-color": (1e-10, 300000, 654), "nyud-fcn32s-hha": (1e-10, 300000, 654),
    "nyud-fcn32s-color-d": (1e-10, 300000, 654), "nyud-fcn32s-color-hha": (1e-12, 300000, 654),
    "siftflow-fcn32s": (1e-10, 300000, 200), "siftflow-fcn16s": (1e-12, 300000, 200),
    "siftflow-fcn8s": (1e-12, 300000, 200),
    "pascalcontext-fcn32s": (1e-10, 300000, 5105), "pascalcontext-fcn16s": (1e-12, 300000, 5105),
    "pascalcontext-fcn8s": (1e-14, 300000, 5105),
    "alexnet": (0.01, 450000, 1000), "caffenet": (0.01, 450000, 1000), "googlenet": (0.01, 10000000, 1000),
    "hed": (1e-6, 30001, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers(name):
    s = solver(name)
    assert (s.base_lr, s.max_iter, s.test_iter[0]) == pytest.approx(SOLVERS[name])
    heavy = name not in ("voc-fcn-alexnet", "alexnet", "caffenet", "googlenet", "hed")
    assert s.momentum == pytest.approx(0.99 if heavy else 0.9)
    for file in (s.net, s.train_net, *s.test_net):  # the solver's folder is the net's, or the one above models
        assert not file or (caffe_fcn_models.folder(name) / file.rpartition("/")[2]).is_file()


@pytest.mark.parametrize(("name", "file", "kinds"), [
    ("voc-fcn8s", "train", {(1.0, 2.0): 18, (0.0,): 3}),  # 15 convolutions, 3 scores; 3 upsamplings that do not learn
    ("voc-fcn8s-atonce", "train", {(1.0, 2.0): 18, (0.0,): 5}),
    ("voc-fcn-alexnet", "train", {(): 7, (1.0, 2.0): 1, (0.0,): 1}),  # the trunk's biases learn as its weights do
    ("hed", "train_val", {(1.0, 2.0): 10, (100.0, 200.0): 3, (0.01, 0.02): 5, (0.001, 0.002): 1, (0.0, 0.0): 4}),
    ("hed", "deploy", {(1.0, 2.0): 10, (100.0, 200.0): 3, (0.01, 0.02): 6, (0.0, 0.0): 4}),
    ("resnet50", "deploy", {(): 53 + 1}),
])  # fmt: skip
def test_learning_rates(name, file, kinds):
    learn = ("Convolution", "Deconvolution", "InnerProduct") if name == "resnet50" else (
        "Convolution", "Deconvolution", "InnerProduct", "Scale")
    found = Counter(tuple(round(p.lr_mult, 6) for p in layer.param) for layer in read(name, file).layer
                    if layer.type in learn)
    assert found == kinds


@pytest.mark.parametrize(("name", "file"), [("voc-fcn8s", "train"), ("pascalcontext-fcn8s", "val"),
                                            ("siftflow-fcn8s", "test"), ("nyud-fcn32s-color-hha", "trainval")])
def test_losses_sum_over_labelled_pixels(name, file):
    losses = [layer for layer in read(name, file).layer if layer.type == "SoftmaxWithLoss"]
    assert [loss.name for loss in losses] == (["loss", "loss_geo"] if name == "siftflow-fcn8s" else ["loss"])
    assert all(loss.loss_param.ignore_label == 255 and not loss.loss_param.normalize for loss in losses)


def test_fcn_alexnet_divides_its_loss_by_the_labelled_pixels():
    [loss] = [layer for layer in read("voc-fcn-alexnet", "train").layer if layer.type == "SoftmaxWithLoss"]
    assert loss.loss_param.normalize
    assert solver("voc-fcn-alexnet").iter_size == 20


def test_the_side_losses_of_googlenet_count_less():
    layers = read("googlenet", "train_val").layer
    weights = {layer.name: list(layer.loss_weight) for layer in layers if layer.loss_weight}
    assert weights == {"loss1/loss": [pytest.approx(0.3)], "loss2/loss": [pytest.approx(0.3)], "loss3/loss3": [1]}
