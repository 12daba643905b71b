"""Every net of the family runs forward and backward, with an eighth of the channels and blobs in place of data."""

from __future__ import annotations

import numpy as np
import pytest
from family import NAMES, make_narrow

import caffe
import caffe_fcn_models
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.upgrade import read_net

FOR_TRAINING = ("train", "trainval", "train_val", "deploy")
SIZES = {"alexnet": 227, "caffenet": 227, "caffenet-full-conv": 260, "googlenet": 224, "vgg16": 224, "resnet50": 224}
FCN_SIZE = (40, 56)
CHANNELS = {"data": 3, "color": 3, "hha": 3, "maps": 14}  # of other blobs: 1


def narrow(name):
    """The net for training of a folder, or else that to deploy, made small."""
    folder = caffe_fcn_models.folder(name)
    file = next(file for file in FOR_TRAINING if (folder / f"{file}.prototxt").is_file())
    net = read_net(str(folder / f"{file}.prototxt"))
    del net.layer[: sum(not layer.bottom for layer in net.layer)]
    if net.layer[-1].type == "Softmax":  # of large scores it has no gradient
        del net.layer[-1]
        net.force_backward = True  # there is no loss
    make_narrow(net)
    made = {top for layer in net.layer for top in layer.top}
    for blob in dict.fromkeys(bottom for layer in net.layer for bottom in layer.bottom if bottom not in made):
        size = (SIZES[name],) * 2 if name in SIZES else FCN_SIZE
        shape = (1,) if blob == "label" and name in SIZES else (1, CHANNELS.get(blob, 1), *size)
        source = caffe_pb2.LayerParameter(name=f"{blob} here", type="Input", top=[blob])
        source.input_param.shape.add(dim=shape)
        net.layer.insert(0, source)
    return net


def fill(net, rng):
    """Values that let gradients reach every layer."""
    for name, blobs in net.params.items():
        kind = net.layers[list(net._layer_names).index(name)].type
        for i, blob in enumerate(blobs):
            if kind in ("BatchNorm", "Scale"):
                blob.data[...] = 0 if kind == "BatchNorm" and i == 0 else 1
            elif i == 1:
                blob.data[...] = 0.05
            else:
                fan_in = blob.data[0].size
                blob.data[...] = rng.normal(0.05 / fan_in, np.sqrt(2 / fan_in), blob.data.shape)
    for name in net.inputs:
        shape = net.blobs[name].data.shape
        image = name in CHANNELS and name != "maps"
        net.blobs[name].data[...] = rng.normal(0, 1, shape) if image else rng.integers(0, 2, shape)


@pytest.mark.parametrize("name", NAMES)
def test_forward_and_backward(name, tmp_path):
    param = narrow(name)
    (tmp_path / "net.prototxt").write_text(str(param))
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TRAIN)
    fill(net, np.random.default_rng(0))
    outputs = net.forward()
    assert all(np.isfinite(value).all() for value in outputs.values())
    losses = [top for layer in param.layer if layer.type.endswith("Loss") for top in layer.top]
    assert all(outputs[loss] > 0 for loss in losses)
    net.backward(**({} if losses else {net.outputs[0]: np.ones(net.blobs[net.outputs[0]].data.shape)}))
    fixed = {layer.name for layer in param.layer if layer.param and not any(p.lr_mult for p in layer.param)}
    learning = [(layer, i, blob.diff) for layer, blobs in net.params.items() for i, blob in enumerate(blobs)
                if layer not in fixed and not layer.startswith("bn")]
    assert all(np.isfinite(diff).all() for _, _, diff in learning)
    assert not [(layer, i) for layer, i, diff in learning if not diff.any()]
