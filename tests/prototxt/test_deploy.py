"""From training to deployment and back."""

from __future__ import annotations

import pytest

import caffe_fcn
from caffe_fcn.errors import NetError
from caffe_fcn.prototxt import parse, read, to_deploy, to_train

DATA = """layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 32 } data_param { source: "a" batch_size: 4 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 32 } data_param { source: "b" batch_size: 2 } }
"""
BODY = """# body
layer { name: "score" type: "Convolution" bottom: "data" top: "score"
  convolution_param { num_output: 3 kernel_size: 32 } }
"""
LOSS = """layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  include { phase: TRAIN } }
layer { name: "acc" type: "Accuracy" bottom: "score" bottom: "label" top: "acc" exclude { phase: TRAIN } }
"""


def test_to_deploy_keeps_the_body():
    net = parse(DATA + BODY + LOSS)
    to_deploy(net)
    assert [layer.type for layer in net.layers()] == ["Input", "Convolution"]
    assert net.get("layer[data].input_param.shape[0].dim") == [2, 3, 32, 32]
    assert BODY in str(net)


def test_to_deploy_with_shape_and_probabilities(tmp_path):
    net = parse(DATA + BODY + LOSS.replace("include { phase: TRAIN }", ""))
    to_deploy(net, (1, 3, 40, 40), probabilities=True)
    net.save(tmp_path / "deploy.prototxt")
    built = caffe_fcn.Net(tmp_path / "deploy.prototxt", caffe_fcn.TEST)
    assert built.blobs["prob"].shape == (1, 3, 9, 9) and built.inputs == ["data"] and built.outputs == ["prob"]


def test_round_trip_to_training():
    net = parse(DATA + BODY + LOSS)
    to_deploy(net)
    to_train(net, DATA, ignore_label=255)
    assert [layer.type for layer in net.layers()] == ["Data", "Data", "Convolution", "SoftmaxWithLoss"]
    assert net.layer("loss").bottoms == ["score", "label"] and net.get("layer[loss].loss_param.ignore_label") == 255
    assert str(net).startswith(DATA + BODY)


def test_softmax_becomes_the_loss():
    net = parse("layer { name: 'data' type: 'Input' top: 'data' "
                "input_param { shape { dim: 2 dim: 3 dim: 32 dim: 32 } } }\n" + BODY
                + "layer { name: 'prob' type: 'Sigmoid' bottom: 'score' top: 'prob' }")
    to_train(net, DATA)
    assert [layer.type for layer in net.layers()][-1] == "SigmoidCrossEntropyLoss"
    assert not net.layers(type="Sigmoid")


def test_model(root, tmp_path):
    net = read(root / "models/camvid-fcn8s-small/val.prototxt")
    to_deploy(net, (1, 3, 360, 480))
    net.save(tmp_path / "deploy.prototxt")
    built = caffe_fcn.Net(tmp_path / "deploy.prototxt", caffe_fcn.TEST)
    assert built.outputs == ["score"] and built.blobs["score"].shape == (1, 11, 360, 480)


@pytest.mark.parametrize(
    ("text", "change", "message"),
    [(BODY, to_deploy, "no data layer"), ("input: 'a'", to_deploy, "upgrade it first"),
     (DATA + BODY, lambda net: to_train(net, DATA), "no Input layer makes any of the tops")],
)
def test_refused(text, change, message):
    net = parse(text)
    with pytest.raises(NetError, match=message):
        change(net)
    assert str(net) == text
