"""Shapes, costs and the table of a net."""

from __future__ import annotations

import time

import pytest

import caffe_fcn
from caffe_fcn.coord_map import CoordMaps
from caffe_fcn.errors import PrototxtError
from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.proto.upgrade import read_net
from caffe_fcn.prototxt.shapes import Sizes, net_shapes, parse_sizes
from caffe_fcn.prototxt.summary import summarise

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 16 dim: 12 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up"
  convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 pad: 1 bias_term: false } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 5 } }
"""


def net(words=NET):
    return text.parse(words, caffe_pb2.NetParameter())


def test_rows():
    rows = {row.name: row for row in summarise(net()).rows}
    conv, up, fc = rows["conv"], rows["up"], rows["fc"]
    assert conv.shapes == ((2, 4, 8, 6),) and (conv.kernel, conv.stride, conv.pad) == ((3, 3), (2, 2), (1, 1))
    assert conv.params == 4 * 3 * 9 + 4
    assert conv.flops == 2 * 2 * 8 * 6 * 4 * 27 + 2 * 4 * 8 * 6  # products, then the bias
    assert conv.bytes == 2 * 4 * 8 * 6 * 4 and rows["relu"].bytes == 0
    assert (conv.field, conv.scale, conv.shift) == ((3,), (2.0,), (0.0,))
    assert up.flops == 2 * 2 * 8 * 6 * 4 * 16 and up.shapes == ((2, 4, 16, 12),)
    assert fc.params == 5 * 4 * 8 * 6 + 5 and fc.flops == 2 * (2 * 5 * 192 + 5)


def test_totals_agree_with_the_net(root):
    path = root / "models/camvid-fcn8s-small/deploy.prototxt"
    summary = summarise(read_net(path), sizes=parse_sizes(["97x130"]))
    built = caffe_fcn.Net(path, caffe_fcn.TEST)
    built.blobs["data"].reshape(1, 3, 97, 130)
    built.reshape()
    for row in summary.rows:
        assert [built.blobs[name].shape for name in row.tops] == list(row.shapes)
    assert summary.total.params == sum(blob.count for blobs in built.params.values() for blob in blobs)
    assert summary.training_bytes == 2 * summary.forward_bytes


def test_fields_agree_with_the_search_from_each_blob(root):
    message = read_net(root / "models/camvid-fcn8s-small/deploy.prototxt")
    maps = CoordMaps(message)
    rows = [row for row in summarise(message).rows if row.field]
    assert len(rows) == 40
    for row in rows:
        between, field = maps.between(row.tops[0], "data"), maps.receptive_field(row.tops[0], "data")
        assert row.field == field.size
        assert (row.scale, row.shift) == (tuple(map(float, between.scale)), tuple(map(float, between.shift)))


def test_deep_net_is_quick():
    words = "".join(
        f'layer {{ name: "c{i}" type: "Convolution" bottom: "{f"c{i - 1}" if i else "data"}" top: "c{i}" '
        "convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }\n" for i in range(300))
    message = net(NET.split("layer {")[0] + "layer {" + NET.split("layer {")[1] + words)
    start = time.perf_counter()
    rows = summarise(message).rows
    assert time.perf_counter() - start < 1
    assert rows[-1].field == (601,)


def test_shared_parameters_count_once():
    twice = NET.replace('top: "fc"', 'top: "fc" param { name: "w" } param { name: "v" }')
    twice += twice[twice.index('layer { name: "fc"') :].replace('"fc"', '"fc2"')
    assert summarise(net(twice)).total.params == summarise(net()).total.params


@pytest.mark.parametrize(
    ("words", "shapes"),
    [('type: "Data" data_param { batch_size: 4 } transform_param { crop_size: 32 }', [(4, 3, 32, 32), (4,)]),
     ('type: "ImageData" image_data_param { batch_size: 2 new_height: 8 new_width: 9 is_color: false }',
      [(2, 1, 8, 9), (2,)]),
     ('type: "WindowData" window_data_param { batch_size: 2 crop_size: 8 }', [(2, 3, 8, 8), (2,)]),
     ('type: "HDF5Data" hdf5_data_param { batch_size: 2 }', [(2, 3, 500, 500), (2, 1, 500, 500)]),
     ('type: "MemoryData" memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }', [(2, 3, 4, 5), (2,)]),
     ('type: "Python" python_param { module: "none" layer: "None" }', [(1, 3, 500, 500), (1, 1, 500, 500)])],
)
def test_data_layers_are_not_opened(words, shapes):
    result = net_shapes(net(f'layer {{ name: "d" top: "x" top: "y" {words} }}'), 0)
    assert result.layers[0].tops == shapes and not result.errors


@pytest.mark.parametrize("scores", [(2, 4), (2, 4, 8, 6)])
def test_labels_take_the_shape_that_the_loss_needs(scores):
    reduce = "" if len(scores) > 2 else \
        'layer { name: "conv" type: "InnerProduct" bottom: "x" top: "conv" inner_product_param { num_output: 4 } }'
    start = 'layer { name: "d" type: "HDF5Data" top: "x" top: "y" hdf5_data_param { batch_size: 2 } }\n' + reduce
    words = start + (NET.partition("\n")[2].partition("\n")[2].replace('"data"', '"x"') if not reduce else "")
    words += 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "y" top: "loss" }'
    result = net_shapes(net(words), 0, Sizes(image=(16, 12)))
    assert not result.errors and result.blobs["y"] == (2, *([1] if len(scores) > 2 else []), *scores[2:])


def test_layers_behind_an_error_go_on():
    result = net_shapes(net(NET.replace("kernel_size: 3", "kernel_size: 0")), 1)
    assert [row.param.name for row in result.errors] == ["conv"]
    assert [row.opaque for row in result.layers[2:]] == ["a bottom's shape is not known"] * 3
    assert summarise(net(NET.replace("kernel_size: 3", "kernel_size: 0"))).rows[1].problem.startswith("'kernel_size'")


def test_phases_and_stages():
    words = NET.replace('type: "ReLU"', 'type: "ReLU" include { phase: TRAIN stage: "s" }')
    assert len(net_shapes(net(words), 0, stages=["s"]).layers) == 5
    assert len(net_shapes(net(words), 0).layers) == len(net_shapes(net(words), 1, stages=["s"]).layers) == 4
    assert [row.index for row in net_shapes(net(words), 1).layers] == [0, 1, 3, 4]


def test_nothing_is_allocated_for_a_huge_input():
    result = net_shapes(net(), 1, Sizes(image=(100_000, 100_000)))
    assert result.blobs["up"] == (2, 4, 100_000, 100_000)


@pytest.mark.parametrize(
    ("words", "sizes"),
    [([], Sizes()), (["5x7"], Sizes((5, 7))), (["a=1x2", "b=3"], Sizes(None, {"a": (1, 2), "b": (3,)}))],
)
def test_sizes(words, sizes):
    assert parse_sizes(words) == sizes


@pytest.mark.parametrize("word", ["5", "5x", "axb", "a=", "1x2x3", "5x99999999999", "-1x2"])
def test_words_that_are_no_size(word):
    with pytest.raises(PrototxtError, match="is not a size"):
        parse_sizes([word])
