"""Joined layers: the same values as layers that run alone, and nobody sees the difference."""

from __future__ import annotations

import numpy as np
import pytest

import caffe

INPUT = "layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 8 dim: 30 dim: 28 } } }\n"
CONV = ("layer {{ name: '{0}' type: 'Convolution' bottom: '{1}' top: '{0}' convolution_param {{ num_output: 9 "
        "kernel_size: {2} pad: 1 weight_filler {{ type: 'gaussian' std: 1 }} }} }}\n")
RELU = "layer {{ name: 'relu_{0}' type: 'ReLU' bottom: '{0}' top: '{0}' {1} }}\n"
TWO = INPUT + CONV.format("a", "x", 3) + RELU.format("a", "") + CONV.format("b", "a", 2) + RELU.format("b", "")


def build(tmp_path, text):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    net = caffe.Net(str(path), caffe.TRAIN)
    random = np.random.default_rng(0)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = random.standard_normal(blob.shape)
    net.blobs["x"].data[...] = random.standard_normal(net.blobs["x"].shape)
    return net


def values(net):
    return {name: blob.data.copy() for name, blob in net.blobs.items()}


def test_joined_layers_give_the_bits_of_layers_alone(tmp_path, monkeypatch):
    net = build(tmp_path, TWO)
    assert net._plan.joined == {1, 3}
    net.forward()
    joined = values(net)
    monkeypatch.setenv("CAFFE_FCN_PLAN", "0")
    alone = build(tmp_path, TWO)
    assert not alone._plan.joined
    alone.forward()
    for name, value in values(alone).items():
        np.testing.assert_array_equal(joined[name], value, err_msg=name)
    assert (joined["a"] == 0).any() and (joined["a"] > 0).any() and (joined["a"] >= 0).all()


def test_a_pass_that_ends_between_shows_the_values_before(tmp_path):
    net = build(tmp_path, TWO)
    net.forward(end="a")
    before = net.blobs["a"].data.copy()
    assert (before < 0).any()
    net.forward(start="relu_a", end="relu_a")  # not left out
    np.testing.assert_array_equal(net.blobs["a"].data, np.maximum(before, 0))
    net.forward(end="relu_a")
    np.testing.assert_array_equal(net.blobs["a"].data, np.maximum(before, 0))


@pytest.mark.parametrize("moment", ["before_forward", "after_forward"])
def test_a_callback_sees_the_values_before(tmp_path, moment):
    net = build(tmp_path, TWO)
    least = {}
    getattr(net, moment)(lambda i: least.setdefault(i, net.blobs["a"].data.min()))
    net.forward()
    assert least[2 if moment == "before_forward" else 1] < 0


def test_a_pass_that_stopped_between_leaves_nothing_out_later(tmp_path, monkeypatch):
    net = build(tmp_path, TWO)
    reshape = type(net.layers[2]).reshape

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(net.layers[2]), "reshape", interrupted)
    with pytest.raises(KeyboardInterrupt):
        net.forward()
    monkeypatch.setattr(type(net.layers[2]), "reshape", reshape)
    net.blobs["a"].data[...] = -1
    net.forward(start="relu_a", end="relu_a")
    assert (net.blobs["a"].data == 0).all()


@pytest.mark.parametrize("text", [
    INPUT + CONV.format("a", "x", 3) + RELU.format("a", "relu_param { negative_slope: 0.1 }"),
    INPUT + CONV.format("a", "x", 3) + "layer { name: 'r' type: 'ReLU' bottom: 'a' top: 'r' }\n",
    INPUT + CONV.format("a", "x", 3) + CONV.format("b", "x", 3) + RELU.format("a", ""),
    INPUT + CONV.format("a", "x", 3) + "layer { name: 'd' type: 'Dropout' bottom: 'a' top: 'a' }\n",
], ids=["slope", "not in place", "not next", "not ReLU"])
def test_what_is_not_joined(tmp_path, text):
    assert not build(tmp_path, text)._plan.joined


def test_gradients_are_those_of_layers_alone(tmp_path, monkeypatch):
    text = TWO + "layer { name: 'loss' type: 'Reduction' bottom: 'b' top: 'loss' loss_weight: 1 }\n"
    grads = []
    for wanted in ("1", "0"):
        monkeypatch.setenv("CAFFE_FCN_PLAN", wanted)
        net = build(tmp_path, "force_backward: true\n" + text)
        net.forward()
        net.backward()
        grads.append([net.blobs["x"].diff.copy(), *(blob.diff for blobs in net.params.values() for blob in blobs)])
    for joined, alone in zip(*grads, strict=True):
        np.testing.assert_array_equal(joined, alone)
        assert joined.any()
