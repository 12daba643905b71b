"""Nets with the fields and types of forks."""

from __future__ import annotations

import pytest

from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.prototxt import format_text, parse
from caffe_fcn.prototxt.diff import diff_nets
from caffe_fcn.prototxt.lint import lint_text
from caffe_fcn.prototxt.modernise import modernise_net
from caffe_fcn.prototxt.shapes import net_shapes

NET = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 64 dim: 64 } } }
layer { name: "i" type: "Interp" bottom: "data" top: "i" interp_param { height: 33 width: 33 } }  # align
layer { name: "p" type: "Pooling" bottom: "i" top: "p" top: "m" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "u" type: "Upsample" bottom: "p" bottom: "m" top: "u" upsample_param { scale: 2 } }
"""


def test_fields_of_forks_are_read_and_changed():
    net = parse(NET)
    assert str(net) == NET and net.get("layer[i].interp_param.height") == 33
    net.set("layer[i].interp_param.height", 17)
    net.set("layer[u].upsample_param.upsample_h", 16, force=True)
    assert str(net) == NET.replace("height: 33", "height: 17").replace("scale: 2", "scale: 2 upsample_h: 16")
    net.set("layer[p].interp_param", {"height": 5}, force=True)  # a block that the text did not have
    assert 'stride: 2 } interp_param { height: 5 } }' in str(net)


def test_fields_of_forks_are_formatted():
    assert "interp_param { height: 33 width: 33 }" in format_text(NET) and "upsample_param" in format_text(NET)


def test_shapes_and_lint():
    assert net_shapes(parse(NET).message(), 1).blobs["i"] == (1, 3, 33, 33)
    assert lint_text(NET) == []


def test_difference_in_a_field_of_a_fork():
    a, b = (text.parse(t, caffe_pb2.NetParameter()) for t in (NET, NET.replace("height: 33", "height: 9")))
    assert [str(change) for change in diff_nets(a, b)] == ["changed: i: interp_param.height 33 -> 9"]


def test_upgrade_of_a_fork_layer_keeps_its_comment():
    old = "layers { name: 'i' type: INTERP bottom: 'x' top: 'i' interp_param { height: 3 } }  # align\n"
    new = modernise_net(old).text
    assert new == old.replace("layers", "layer").replace("INTERP", '"Interp"')


@pytest.mark.parametrize(
    ("words", "shapes"),
    [('type: "ImageSegData" image_data_param { batch_size: 2 } transform_param { crop_size: 32 }',
      [(2, 3, 32, 32), (2, 1, 32, 32)]),
     ('type: "DenseImageData" dense_image_data_param { batch_size: 3 crop_height: 8 crop_width: 9 }',
      [(3, 3, 8, 9), (3, 1, 8, 9)])],
)
def test_data_layers_are_not_opened(words, shapes):
    net = text.parse(f'layer {{ name: "d" top: "x" top: "y" {words} }}', caffe_pb2.NetParameter())
    assert net_shapes(net, 0).layers[0].tops == shapes


def test_types_that_a_dialect_explains():
    words = NET[: NET.index("\n") + 1] + 'layer { name: "n" type: "Normalize" bottom: "data" top: "n" }'
    assert not net_shapes(parse(words).message(), 1, dialect="ssd").errors
