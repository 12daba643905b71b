"""Layers: find, rename, insert, remove, replace, move."""

from __future__ import annotations

import pytest

from caffe_fcn.errors import NetError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.prototxt import parse

NET = """name: "n"

layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }

# stem
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 } }  # first
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }

# head
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
  convolution_param { num_output: 2 kernel_size: 1 } }
"""


@pytest.mark.parametrize(
    ("query", "names"),
    [({}, ["in", "conv1", "relu1", "pool1", "conv2"]), ({"name": "conv*"}, ["conv1", "conv2"]),
     ({"type": "ReLU"}, ["relu1"]), ({"pattern": r"\w+1"}, ["conv1", "relu1", "pool1"]),
     ({"type": "Convolution", "name": "*2"}, ["conv2"]), ({"name": "CONV1"}, [])],
)
def test_find(query, names):
    assert [layer.name for layer in parse(NET).layers(**query)] == names


def test_layer_tells_what_it_is():
    layer = parse(NET).layer("conv1")
    assert (layer.name, layer.type, layer.bottoms, layer.tops) == ("conv1", "Convolution", ["data"], ["conv1"])
    assert layer.message().convolution_param.num_output == 4
    assert repr(layer) == "<layer 'conv1' (Convolution)>"
    assert parse(NET).blobs() == ["data", "conv1", "pool1", "conv2"]


def test_unknown_and_ambiguous_layer():
    with pytest.raises(NetError, match="no layer 'conv3'; did you mean 'conv2' or 'conv1'"):
        parse(NET).layer("conv3")
    twice = parse("layer { name: 'a' } layer { name: 'a' type: 'ReLU' }")
    with pytest.raises(NetError, match="2 layers called 'a'; give an index"):
        twice.layer("a")
    assert twice.layer("a", 1).type == "ReLU"
    with pytest.raises(NetError, match="no number 2"):
        twice.layer("a", 2)


def test_rename_blob_with_all_uses():
    net = parse(NET)
    net.rename_blob("conv1", "features")
    renamed = NET.replace('top: "conv1"', 'top: "features"').replace('bottom: "conv1"', 'bottom: "features"')
    assert str(net) == renamed


def test_rename_layer_with_its_blob():
    net = parse(NET)
    net.rename_layer("conv1", "stem", blob=True)
    assert str(net) == NET.replace('"conv1"', '"stem"')


def test_rename_of_old_inputs():
    net = parse("input: 'data' input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n"
                "layer { name: 'r' type: 'ReLU' bottom: 'data' top: 'r' }")
    net.rename_blob("data", "image")
    assert net.get("input") == ["image"] and net.layer("r").bottoms == ["image"]


@pytest.mark.parametrize(
    ("change", "message"),
    [(lambda net: net.rename_blob("conv1", "pool1"), "there is a blob 'pool1' already"),
     (lambda net: net.rename_blob("con1", "x"), "no blob 'con1'; did you mean 'conv1'"),
     (lambda net: net.rename_layer("conv1", "conv2"), "there is a layer 'conv2' already"),
     (lambda net: net.rename_layer("nope", "x"), "no layer 'nope'"),
     (lambda net: net.remove("in"), "refused.*unknown bottom blob 'data'"),
     (lambda net: net.remove("conv1", rewire=False), "refused.*unknown bottom blob 'conv1'"),
     (lambda net: net.move("pool1", after="conv2"), "refused.*unknown bottom blob 'pool1'"),
     (lambda net: net.move("pool1", after="pool1"), "next to itself"),
     (lambda net: net.insert("layer { name: 'x' type: 'Nope' }"), "refused.*unknown layer type 'Nope'"),
     (lambda net: net.insert("layer { name: 'x'"), "cannot be read: 1:18: the text ends"),
     (lambda net: net.insert("name: 'x'"), "must be of one layer"),
     (lambda net: net.set("layer[conv2].convolution_param.kernel_size[0]", 0), "must be at least 1, got 0"),
     (lambda net: net.set("layer[conv2].top[0]", "pool1"), "refused.*layer 'conv2'")],
)
def test_refused(change, message):
    net = parse(NET)
    with pytest.raises(NetError, match=message):
        change(net)
    assert str(net) == NET


def test_forced():
    net = parse(NET)
    net.remove("in", force=True)
    assert "in" not in [layer.name for layer in net.layers()]


def test_insert():
    net = parse(NET)
    part = net.insert(caffe_pb2.LayerParameter(name="drop", type="Dropout", bottom=["pool1"], top=["pool1"]),
                      after="pool1")
    assert part.type == "Dropout"
    text = 'layer {\n  name: "drop"\n  type: "Dropout"\n  bottom: "pool1"\n  top: "pool1"\n}'
    pool = NET[NET.index('layer { name: "pool1"') :].partition("\n")[0]
    assert str(net) == NET.replace(pool, f"{pool}\n{text}")
    net.insert('layer { name: "s" type: "Silence" bottom: "conv2" }')
    assert str(net).endswith('kernel_size: 1 } }\nlayer { name: "s" type: "Silence" bottom: "conv2" }\n')


def test_insert_in_front_of_all_keeps_the_head():
    net = parse("# head\nlayer { name: 'a' type: 'Input' top: 'a' input_param { shape { dim: 1 } } }\n")
    net.insert("layer { name: 'b' type: 'Parameter' top: 'b' parameter_param { shape { dim: 1 } } }", before="a")
    assert [layer.name for layer in net.layers()] == ["b", "a"]
    assert str(net).startswith("# head\n")


SILENT = 'layer { name: "s" type: "Silence" }'


@pytest.mark.parametrize(
    ("text", "edit"),
    [("# no line end", lambda net: net.insert(SILENT, force=True)),
     ("layer { name: 'a' } layer { name: 'b' }", lambda net: net.insert(f"{SILENT} # note", after="a", force=True)),
     ("layer { name: 'a' } layer { name: 'b' } # b\nlayer { name: 'x' } # x",
      lambda net: net.move("x", before="b", force=True))],
)
def test_comments_swallow_no_layer(text, edit):
    net = parse(text)
    before = len(net.layers())
    edit(net)
    assert len(parse(str(net)).layers()) == before + ("x" not in text)


def test_remove_rewires():
    net = parse(NET)
    net.remove("pool1")
    pool = NET[NET.index('layer { name: "pool1"') :].partition("\n")[0]
    assert str(net) == NET.replace(f"\n{pool}", "").replace('bottom: "pool1"', 'bottom: "conv1"')


def test_remove_of_a_layer_in_place_rewires_nothing():
    net = parse(NET)
    net.remove("relu1")
    relu = NET[NET.index('layer { name: "relu1"') :].partition("\n")[0]
    assert str(net) == NET.replace(f"\n{relu}", "")


def test_replace_keeps_comments():
    net = parse(NET)
    net.replace("conv1", "layer { name: 'conv1' type: 'Pooling' bottom: 'data' top: 'conv1' pooling_param { "
                         "kernel_size: 2 } }")
    assert "# stem\nlayer { name: 'conv1' type: 'Pooling'" in str(net) and "} }  # first\n" in str(net)


def test_move_takes_its_comment_along():
    net = parse("layer { name: 'a' type: 'Input' top: 'x' }\n"
                "# about b\nlayer { name: 'b' type: 'Silence' bottom: 'x' }\n"
                "layer { name: 'c' type: 'Input' top: 'y' }\nlayer { name: 'd' type: 'Silence' bottom: 'y' }\n")
    net.move("b", after="d")
    assert [layer.name for layer in net.layers()] == ["a", "c", "d", "b"]
    assert str(net).endswith("\n# about b\nlayer { name: 'b' type: 'Silence' bottom: 'x' }\n")


def test_layers_in_a_list_are_read_but_not_moved():
    net = parse("layer: [{ name: 'a' type: 'Input' top: 'x' }, { name: 'b' type: 'Silence' bottom: 'x' }]")
    assert [layer.name for layer in net.layers()] == ["a", "b"]
    net.set("layer[a].name", "c")
    with pytest.raises(NetError, match="one list"):
        net.remove("b")
