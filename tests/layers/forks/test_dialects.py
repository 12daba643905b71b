"""Dialects: which meaning a type has, offsets that follow from the net, and what is refused."""

import re

import numpy as np
import pytest

import caffe
from caffe_fcn import register
from caffe_fcn.errors import LayerError, NetError, UnknownLayerError
from caffe_fcn.layers import registry
from caffe_fcn.layers.base import Layer
from caffe_fcn.layers.forks.pspnet_bn import PspNetBN
from caffe_fcn.layers.forks.segnet_bn import SegNetBN
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse
from caffe_fcn.proto.upgrade import read_net

DATA = "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: [1, 2, 9, 11] } } }"


def build(text, dialect=None, phase=caffe.TEST):
    return caffe.Net(parse(f"{DATA} {text}", caffe_pb2.NetParameter()), phase, dialect=dialect)


def offsets(net):
    return [list(layer.crop_param.offset) for layer in net.to_proto().layer if layer.type == "Crop"]


def test_unknown_dialect():
    with pytest.raises(NetError, match=r"unknown dialect 'torch'; there are 'deeplab' \(DeepLab\), "):
        build("", "torch")


# Crop: the offsets are checked against those of the nets as published for Caffe 1.0, and by hand


def upscaled(crop, kernel=4, stride=2, pad=3, source="data"):
    return f"""layer {{ name: 'c' type: 'Convolution' bottom: '{source}' top: 'c' convolution_param {{ num_output: 2
               kernel_size: 3 stride: 2 pad: {pad} }} }}
               layer {{ name: 'u' type: 'Deconvolution' bottom: 'c' top: 'u' convolution_param {{ num_output: 2
               kernel_size: {kernel} stride: {stride} }} }}
               layer {{ name: 'crop' {crop} bottom: 'u' bottom: '{source}' top: 'y' }}"""


@pytest.mark.parametrize(("crop", "dialect", "offset"), [
    # pixel 0 of c lies at 0 * 2 - 3 + 1 of data; pixel 0 of u lies 1.5 before it, at half steps of c
    ("type: 'Crop'", "fcn-future", [3]), ("type: 'Crop'", "hed", [3]), ("type: 'AutoCrop'", None, [3]),
    ("type: 'Crop' crop_param { offset: 1 }", "hed", [1]), ("type: 'AutoCrop' crop_param { offset: 2 }", None, [2]),
    ("type: 'Crop'", None, []), ("type: 'Crop'", "ssd", []),
])
def test_offset_that_follows_from_the_net(crop, dialect, offset):
    net = build(upscaled(crop, kernel=3), dialect)
    assert offsets(net) == [offset]
    net.blobs["data"].data[...] = np.random.default_rng(1).normal(size=(1, 2, 9, 11))
    net.forward()
    start = (offset or [0])[0]
    np.testing.assert_array_equal(net.blobs["y"].data, net.blobs["u"].data[:, :, start:start + 9, start:start + 11])


def test_crop_of_v1_nets():
    text = """input: 'data' input_dim: 1 input_dim: 2 input_dim: 9 input_dim: 11
        layers { name: 'c' type: CONVOLUTION bottom: 'data' top: 'c' convolution_param { num_output: 2 kernel_size: 1
                 pad: 4 } }
        layers { name: 'crop' type: CROP bottom: 'c' bottom: 'data' top: 'y' }"""
    assert offsets(caffe.Net(parse(text, caffe_pb2.NetParameter()), caffe.TEST)) == [[4]]


def test_offset_behind_an_earlier_crop_and_rules():
    rule = "include { phase: TEST min_level: 2 }"
    text = f"""layer {{ name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param {{ num_output: 2
                 kernel_size: 1 pad: 3 }} {rule} }}
        layer {{ name: 'one' type: 'AutoCrop' bottom: 'c' bottom: 'data' top: 'd' }}
        layer {{ name: 'e' type: 'Convolution' bottom: 'd' top: 'e' convolution_param {{ num_output: 2 kernel_size: 1
                 pad: 2 }} }}
        layer {{ name: 'two' type: 'AutoCrop' bottom: 'e' bottom: 'data' top: 'y' }}"""
    net = caffe.Net(parse(f"{DATA} {text}", caffe_pb2.NetParameter()), caffe.TEST, level=2)
    assert offsets(net) == [[3], [2]]


@pytest.mark.parametrize("name", ["hed_deploy", "hed_deploy_pad35"])
def test_offsets_of_hed(shared, name):
    file = shared / "weights" / f"{name}.prototxt"
    text = re.sub(r"\n\s*crop_param \{[^}]*\}", "", file.read_text())
    assert "crop_param" not in text
    wanted = [list(layer.crop_param.offset) for layer in read_net(file).layer if layer.type == "Crop"]
    assert offsets(caffe.Net(parse(text, caffe_pb2.NetParameter()), caffe.TEST, dialect="hed")) == wanted


@pytest.mark.parametrize(("text", "reason"), [
    (upscaled("type: 'AutoCrop'", stride=1), "scales differ"), (upscaled("type: 'AutoCrop'"), "no whole number"),
    (upscaled("type: 'AutoCrop'", kernel=1, pad=0), "negative"),
    ("layer { name: 'l' type: 'Input' top: 'u' } layer { name: 'crop' type: 'AutoCrop' bottom: 'u' bottom: 'data' "
     "top: 'y' }", "no layers .* connect"),
])
def test_offset_that_does_not_follow(text, reason):
    with pytest.raises(LayerError, match=rf"layer 'crop' \(AutoCrop\): the offset .*{reason}.*crop_param") as caught:
        build(text)
    assert (caught.value.layer, caught.value.type) == ("crop", "AutoCrop")


def test_unknown_bottom_is_named_as_always():
    with pytest.raises(LayerError, match="unknown bottom blob 'w'"):
        build("layer { name: 'crop' type: 'AutoCrop' bottom: 'w' bottom: 'data' top: 'y' }")


def test_a_saved_net_needs_no_dialect(tmp_path):
    net = build(upscaled("type: 'Crop'", kernel=3) + """
        layer { name: 'n' type: 'Input' top: 't' input_param { shape { dim: [1, 2, 9, 11] } } }
        layer { name: 'l' type: 'SigmoidCrossEntropyLoss' bottom: 'y' bottom: 't' top: 'l' }""", "hed")
    again = caffe.Net(net.to_proto(), caffe.TEST)
    for one in (net, again):
        one.blobs["data"].data[...] = np.arange(198).reshape(1, 2, 9, 11)
        one.blobs["t"].data[...] = np.eye(9, 11)
    assert net.forward() == again.forward()
    assert again.layer_dict["l"].type == "ClassBalancedSigmoidCrossEntropyLoss"


# other types


BN = "layer { name: 'b' type: 'BN' bottom: 'data' top: 'b' %s }"


@pytest.mark.parametrize(("dialect", "kind"), [("segnet", SegNetBN), ("enet", SegNetBN), ("pspnet", PspNetBN)])
@pytest.mark.parametrize("fields", ["", "bn_param { }"])
def test_bn_by_dialect(dialect, kind, fields):
    assert type(build(BN % fields, dialect).layers[1]) is kind


@pytest.mark.parametrize(("fields", "kind"), [
    ("bn_param { bn_mode: INFERENCE }", SegNetBN), ("bn_param { momentum: 0.5 }", PspNetBN),
    ("param { } param { } param { } param { }", PspNetBN),
    (2 * "blobs { shape { dim: [1, 2, 1, 1] } data: [1, 1] }", SegNetBN),
    (4 * "blobs { shape { dim: [1, 2, 1, 1] } data: [1, 1] }", PspNetBN),
])
def test_bn_by_what_it_has(fields, kind):
    assert type(build(BN % fields).layers[1]) is kind


@pytest.mark.parametrize(("dialect", "fields"), [("segnet", "momentum: 0.9"), ("pspnet", "bn_mode: LEARN")])
def test_bn_that_contradicts_the_dialect(dialect, fields):
    with pytest.raises(LayerError, match=r"layer 'b' \(BN\): bn_param has fields of another fork") as caught:
        build(BN % f"bn_param {{ {fields} }}", dialect)
    assert caught.value.layer == "b"


def test_bn_without_any_hint_says_how_to_choose():
    with pytest.raises(LayerError, match=r"dialect='segnet' or 'pspnet'"):
        build(BN % "", "ssd")


def test_normalize_by_dialect():
    text = "layer { name: 'n' type: 'Normalize' bottom: 'data' top: 'n' }"
    assert build(text, "ssd").params["n"][0].data == 1
    with pytest.raises(LayerError, match="dialect='ssd'"):
        build(text)


def test_users_own_type_wins(monkeypatch):
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))

    @register("Crop")
    class Mine(Layer):
        """A user's."""

        def forward(self, bottom, top):
            """Nothing."""

    assert type(build(upscaled("type: 'Crop'"), "hed").layers[-1]) is Mine


def test_solver_of_a_dialect(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(f"{DATA} {BN % ''}")
    (tmp_path / "solver.prototxt").write_text(
        "net: 'net.prototxt' base_lr: 0.1 lr_policy: 'fixed' test_iter: 1 test_interval: 9")
    solver = caffe.get_solver("solver.prototxt", dialect="pspnet")
    assert [type(net.layers[1]) for net in (solver.net, *solver.test_nets)] == [PspNetBN, PspNetBN]
    with pytest.raises(LayerError, match="dialect"):
        caffe.get_solver("solver.prototxt")


# types that are not here


def test_unknown_type_names_the_forks_that_have_it():
    with pytest.raises(UnknownLayerError, match=r"the Caffe of Fast R-CNN and that of SSD has it .*register\(\"Smooth"):
        registry.layer_class("SmoothL1Loss")


def test_types_of_other_forks_are_not_here():
    from caffe_fcn.layers.forks import elsewhere

    listed = {name for types in elsewhere._TYPES_OF.values() for name in types}
    assert not listed & {*registry.BUILT_IN, *registry.FORKS}
