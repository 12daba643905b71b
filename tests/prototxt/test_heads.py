"""The number of classes, through the head of a net."""

from __future__ import annotations

import pytest

from caffe_fcn.errors import NetError
from caffe_fcn.prototxt import change_classes, parse, read

HEAD = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 64 dim: 64 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 64 dim: 64 } } }
layer { name: "fc" type: "Convolution" bottom: "data" top: "fc"
  convolution_param { num_output: 8 kernel_size: 2 stride: 2 } }
layer { name: "score_fr" type: "Convolution" bottom: "fc" top: "score_fr"
  convolution_param { num_output: 21 kernel_size: 1 } }
layer { name: "up" type: "Deconvolution" bottom: "score_fr" top: "up"
  convolution_param { num_output: 21 kernel_size: 2 stride: 2 } }
layer { name: "skip" type: "Convolution" bottom: "data" top: "skip"
  convolution_param { num_output: 21 kernel_size: 1 } }
layer { name: "fuse" type: "Eltwise" bottom: "up" bottom: "skip" top: "fuse" }
layer { name: "score" type: "Crop" bottom: "fuse" bottom: "data" top: "score" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""
OTHER = """layer { name: "geo" type: "Convolution" bottom: "fc" top: "geo"
  convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "geo_prob" type: "Softmax" bottom: "geo" top: "geo_prob" }
"""


def test_change_classes_of_two_branches():
    net = parse(HEAD)
    assert change_classes(net, 5) == ["score_fr", "up", "skip"]
    assert str(net) == HEAD.replace("num_output: 21", "num_output: 5")


def test_change_classes_with_new_names():
    net = parse(HEAD)
    assert change_classes(net, 2, rename="{name}_{classes}c") == ["score_fr_2c", "up_2c", "skip_2c"]
    assert [layer.name for layer in net.layers()][3:6] == ["score_fr_2c", "up_2c", "skip_2c"]
    assert net.layer("up_2c").bottoms == ["score_fr"]


@pytest.mark.parametrize("pattern", ["{name", "{0}", "{nome}", "{name.x}"])
def test_patterns_that_are_none(pattern):
    net = parse(HEAD)
    with pytest.raises(NetError, match="no pattern for names"):
        change_classes(net, 5, rename=pattern)
    assert str(net) == HEAD


def test_groups_follow(root):
    net = read(root / "models/camvid-fcn8s-small/deploy.prototxt")
    changed = change_classes(net, 5)
    assert set(changed) == {"score_fr", "upscore2", "score_pool4", "upscore_pool4", "score_pool3", "upscore8"}
    ups = [layer.message().convolution_param for layer in net.layers(type="Deconvolution")]
    assert [(up.num_output, up.group) for up in ups] == [(5, 5)] * 3


def test_other_layers_of_that_many_channels_stay():
    net = parse(HEAD.replace("num_output: 8", "num_output: 21"))
    assert change_classes(net, 5) == ["score_fr", "up", "skip"]
    assert net.get("layer[fc].convolution_param.num_output") == 21


def test_heads_that_differ_need_a_choice():
    net = parse(HEAD + OTHER + 'layer { name: "acc" type: "Accuracy" bottom: "geo" bottom: "label" top: "acc" }\n')
    with pytest.raises(NetError):  # the maps of the second head have another size than the labels
        change_classes(net, 5)
    assert change_classes(net, 4, head="geo", force=True) == ["geo"]


@pytest.mark.parametrize(
    ("text", "classes", "head", "message"),
    [(HEAD, 0, None, "at least 1 class"), (HEAD, 5, "nope", "no blob 'nope'"),
     ("layer { name: 'a' type: 'Input' top: 'a' }", 5, None, "no layer with num_output makes the scores"),
     (HEAD + OTHER.replace("geo_prob", "g") + 'layer { name: "l" type: "Accuracy" bottom: "g" bottom: "label" }',
      5, None, "different numbers of classes \\(3, 21\\)"),
     ("layers { name: 'a' type: RELU bottom: 'a' top: 'b' }", 5, None, "upgrade it first")],
)
def test_refused(text, classes, head, message):
    net = parse(text)
    with pytest.raises(NetError, match=message):
        change_classes(net, classes, head)
    assert str(net) == text
