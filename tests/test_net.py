"""Nets: construction, passes, shared parameters, weights, and what is refused."""

import numpy as np
import pytest

import caffe
from caffe_fcn.errors import (
    BlobMemoryError,
    LayerError,
    MissingFileError,
    NetError,
    PrototxtError,
    ShapeError,
    WeightsError,
)
from caffe_fcn.memory import Head

INPUT = "layer {{ name: 'in' type: 'Input' top: 'x' input_param {{ shape {{ {dims} }} }} }}\n"
FULL = ("layer {{ name: '{name}' type: 'InnerProduct' bottom: '{bottom}' top: '{top}' {more} inner_product_param "
        "{{ num_output: {outputs} weight_filler {{ value: {value} }} {params} }} }}\n")


def input_layer(*shape):
    return INPUT.format(dims=" ".join(f"dim: {size}" for size in shape))


def full(name, bottom, top, outputs=2, value=0.5, more="", params=""):
    return FULL.format(name=name, bottom=bottom, top=top, outputs=outputs, value=value, more=more, params=params)


@pytest.fixture
def net_of(tmp_path):
    def make(text, phase=caffe.TEST, **more):
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return caffe.Net(str(path), phase, **more)

    return make


TWO_LAYERS = (input_layer(2, 3) + full("a", "x", "a", 4) + "layer { name: 'r' type: 'ReLU' bottom: 'a' top: 'a' }\n"
              + full("b", "a", "b", 2))


def test_forward_gives_the_outputs_and_asked_blobs(net_of):
    net = net_of(TWO_LAYERS)
    net.blobs["x"].data[...] = 1
    assert {name: value.tolist() for name, value in net.forward(["a"]).items()} == {
        "a": [[1.5] * 4] * 2, "b": [[3.0] * 2] * 2}
    assert list(net.forward(end="r")) == ["a"]


def test_forward_only_allocates_no_diffs(net_of):
    net = net_of(TWO_LAYERS)
    net.forward()
    assert [blob.memories[1].head for blob in net.blobs.values()] == [Head.NONE] * 3
    assert {blob.memories[1].head for blobs in net.params.values() for blob in blobs} == {Head.NONE}


def test_backward_adds_to_parameter_diffs_until_cleared(net_of):
    net = net_of(TWO_LAYERS + "force_backward: true")
    net.blobs["x"].data[...] = 1
    net.forward()
    seed = np.ones((2, 2))
    assert net.backward(b=seed)["x"].tolist() == [[2.0] * 3] * 2
    once = net.params["b"][0].diff.copy()
    net.backward(b=seed)
    assert np.array_equal(net.params["b"][0].diff, 2 * once)
    net.clear_param_diffs()
    assert not net.params["b"][0].diff.any()


def test_reshape_reaches_all_blobs_and_allocates_nothing(net_of):
    net = net_of(input_layer(1, 3, 5, 7) + "layer { name: 'p' type: 'Power' bottom: 'x' top: 'y' }")
    net.blobs["x"].reshape(2, 3, 50, 70)
    net.reshape()
    assert net.blobs["y"].shape == (2, 3, 50, 70)
    assert net.blobs["y"].memories[0].head is Head.NONE


def test_a_pass_that_cannot_fit_says_so_before_it_starts(net_of):
    net = net_of(input_layer(1, 3, 100_000, 100_000) + "layer { name: 'p' type: 'Power' bottom: 'x' top: 'y' }")
    assert net.blobs["y"].shape == (1, 3, 100_000, 100_000)
    with pytest.raises(BlobMemoryError, match=r"needs 223\.5 GiB for 2 blobs.*the largest is 'x'"):
        net.forward()
    net.blobs["x"].reshape(1, 3, 4, 4)
    assert net.forward()["y"].shape == (1, 3, 4, 4)


def test_a_part_that_fits_may_run(net_of):
    net = net_of(input_layer(1, 4) + input_layer(1, 3, 100_000, 100_000).replace("'in'", "'n'").replace("'x'", "'big'")
                 + "layer { name: 'p' type: 'Power' bottom: 'x' top: 'y' }")
    assert net.forward(start="p", end="p")["y"].shape == (1, 4)


def test_loss_weights_are_seeds_and_count_in_the_total(net_of):
    net = net_of(input_layer(2, 3) + "layer { name: 'p' type: 'Power' bottom: 'x' top: 'y' loss_weight: 3 "
                 "power_param { scale: 2 } } force_backward: true")
    net.blobs["x"].data[...] = 1
    assert net._forward(0, 1) == 36
    assert net.backward()["x"].tolist() == [[6.0] * 3] * 2
    assert net.blob_loss_weights["y"] == 3
    net.blobs["x"].reshape(4, 3)
    net.blobs["x"].data[...] = 1
    assert net._forward(0, 1) == 72


def test_shared_parameters_share_data_and_diff(net_of):
    text = input_layer(2, 3) + full("a", "x", "a", 3, more="param { name: 'w' lr_mult: 3 } param { name: 'b' }")
    net = net_of(text + full("b", "a", "b", 3, 7, more="param { name: 'w' } param { name: 'b' }"))
    assert np.array_equal(net.params["b"][0].data, np.full((3, 3), 0.5))
    net.params["b"][0].diff[...] = 2
    assert (net.params["a"][0].diff == 2).all()
    assert net._wiring.params.lr_mults == [3, 1]


@pytest.mark.parametrize(("text", "error", "words"), [
    (full("a", "y", "a"), LayerError, r"layer 'a' \(InnerProduct\).*unknown bottom blob 'y'"),
    (full("a", "x", "x2") + full("b", "x", "x2"), LayerError, "layer 'b'.*'x2' is made by another layer"),
    ("layer { name: 'c' type: 'Power' bottom: 'x' top: 'y' } layer { name: 'r' type: 'ReLU' bottom: 'x' top: 'x' }",
     LayerError, "layer 'r'.*only if no layer before it reads it too"),
    (full("a", "x", "a", more="propagate_down: true propagate_down: true"), LayerError, "once per bottom"),
    (full("a", "x", "a", more="loss_weight: 1 loss_weight: 1"), LayerError, "once per top"),
    (full("a", "x", "a", more="param { } param { } param { }"), LayerError, "given 3 times.*has 2"),
    (full("a", "x", "a", 4, more="param { name: 'w' }") + full("b", "a", "b", 4, more="param { name: 'w' }"),
     ShapeError, r"shares the parameter 'w' of layer 'a'.*\(4, 4\) instead of \(4, 3\)"),
    (full("a", "x", "a", 3, more="param { name: 'w' lr_mult: 1 }")
     + full("b", "a", "b", 3, more="param { name: 'w' lr_mult: 2 }"), LayerError, "lr_mult 2, but .*'a' says 1"),
    ("layer { name: 'c' type: 'Convolve' bottom: 'x' top: 'y' }", LayerError, "did you mean 'Convolution'"),
    ("layer { name: 'c' type: 'relu' bottom: 'x' top: 'y' }", LayerError, "did you mean 'ReLU'"),
    ("layer { name: 'c' type: 'ReLU' bottom: 'x' bottom: 'x' top: 'y' }", LayerError, r"takes 1 bottom blob\(s\), 2"),
    ("layer { name: 'c' type: 'ReLU' bottom: 'x' top: 'y' botom: 'x' }", PrototxtError,
     r"net\.prototxt:2:\d+: .*did you mean 'bottom'"),
])
def test_nets_that_are_refused(net_of, text, error, words):
    with pytest.raises(error, match=words):
        net_of(input_layer(2, 3) + text)


def test_a_failing_layer_is_named_with_the_file(net_of):
    with pytest.raises(LayerError, match=r"layer 'a'.*\[in .*net\.prototxt\]"):
        net_of(input_layer(2, 3) + full("a", "x", "a", 0))


def test_constructor_forms(net_of, tmp_path):
    net = net_of(TWO_LAYERS)
    net.params["a"][0].data[...] = 9
    net.save(tmp_path / "w.caffemodel")
    file, weights = str(tmp_path / "net.prototxt"), str(tmp_path / "w.caffemodel")
    for other in (caffe.Net(file, weights, caffe.TEST), caffe.Net(file, caffe.TEST, weights=weights),
                  caffe.Net(network_file=file, phase=1, weights=weights)):
        assert (other.params["a"][0].data == 9).all()
    with pytest.raises(TypeError, match="phase"):
        caffe.Net(file)
    with pytest.raises(MissingFileError):
        caffe.Net(str(tmp_path / "none.prototxt"), caffe.TEST)
    with pytest.raises(MissingFileError):
        caffe.Net(file, str(tmp_path / "none.caffemodel"), caffe.TEST)


def test_share_with_shares_data_not_diffs(net_of):
    a, b = net_of(TWO_LAYERS), net_of(TWO_LAYERS)
    b.share_with(a)
    a.params["a"][0].data[...] = 5
    a.params["a"][0].diff[...] = 4
    assert (b.params["a"][0].data == 5).all()
    assert not b.params["a"][0].diff.any()
    with pytest.raises(WeightsError, match="layer 'a'"):
        net_of(input_layer(2, 3) + full("a", "x", "a", 7)).share_with(a)


def test_weights_that_do_not_fit_leave_the_net_alone(net_of, tmp_path):
    net_of(TWO_LAYERS).save(tmp_path / "w.caffemodel")
    other = net_of(input_layer(2, 3) + full("a", "x", "a", 4, 0.25) + full("b", "a", "b", 7, 0.25))
    with pytest.raises(WeightsError, match="b"):
        other.copy_from(tmp_path / "w.caffemodel")
    assert (other.params["a"][0].data == 0.25).all()


def test_parameters_stored_in_the_prototxt_are_used(net_of):
    net = net_of(input_layer(1, 2) + "layer { name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' inner_product_param "
                 "{ num_output: 1 bias_term: false } blobs { shape { dim: 1 dim: 2 } data: 3 data: 4 } }")
    assert net.params["a"][0].data.tolist() == [[3, 4]]


def test_callbacks_see_each_layer(net_of):
    net, seen = net_of(TWO_LAYERS + "force_backward: true"), []
    net.before_forward(lambda i: seen.append(("before", i)))
    net.after_backward(lambda i: seen.append(("after", i)))
    net.forward(start="a", end="r")
    net.backward(end="b")
    assert seen == [("before", 1), ("before", 2), ("after", 3)]


def test_double_precision(net_of):
    net = net_of(TWO_LAYERS, dtype=np.float64)
    assert {blob.data.dtype for blob in [*net.blobs.values(), *net.params["a"]]} == {np.dtype(np.float64)}


def test_release_gives_memory_back(net_of):
    net = net_of(TWO_LAYERS)
    net.forward()
    net.release()
    assert net.blobs["b"].memories[0].head is Head.NONE
    assert net.params["a"][0].data.any()


def test_release_keeps_a_parameter_that_is_a_top(net_of):
    net = net_of("layer { name: 'w' type: 'Parameter' top: 'y' parameter_param { shape { dim: 2 } } }")
    net.params["w"][0].data[...] = 7
    net.params["w"][0].diff[...] = 1
    net.release()
    assert net.forward()["y"].tolist() == [7, 7]
    assert net.params["w"][0].diff.tolist() == [1, 1]


def test_a_start_in_the_middle_leaves_what_lies_before_it_alone(net_of):
    net = net_of(input_layer(1, 3, 1000, 1000) + "layer { name: 'p' type: 'Power' bottom: 'x' top: 'y' } "
                 "layer { name: 'q' type: 'Power' bottom: 'y' top: 'z' }")
    net.blobs["y"].reshape(1, 1, 2, 2)
    net.blobs["y"].data[...] = 5
    assert net.forward(start="q")["z"].tolist() == [[[[5, 5], [5, 5]]]]


def test_an_old_message_is_upgraded_in_a_copy():
    message = caffe.proto.caffe_pb2.NetParameter(input=["x"], input_dim=[1, 2, 3, 4])
    message.layers.add(name="r", type=message.layers.add().RELU, bottom=["x"], top=["y"])
    del message.layers[0]
    assert caffe.Net(message, caffe.TEST).blobs["y"].shape == (1, 2, 3, 4)
    assert len(message.layers) == len(message.input) == 1


def test_a_message_keeps_double_precision(net_of):
    net = net_of(TWO_LAYERS, dtype=np.float64)
    net.params["a"][0].data[...] = 0.1
    net.params["a"][0].diff[...] = 0.7
    blob = net.to_proto(write_diff=True).layer[1].blobs[0]
    assert (list(blob.double_data), list(blob.double_diff), len(blob.data)) == ([0.1] * 12, [0.7] * 12, 0)


def test_an_unknown_layer_to_start_or_end_at(net_of):
    net = net_of(TWO_LAYERS)
    with pytest.raises(NetError, match="no layer 'B'; did you mean 'b'"):
        net.forward(start="B")
    with pytest.raises(NetError, match="no layer 'conv1'"):
        net.backward(end="conv1")


def test_a_temporary_that_does_not_fit_names_the_layer(net_of, monkeypatch):
    net = net_of(TWO_LAYERS)

    def forward(bottom, top):
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr(net.layer_dict["b"], "forward", forward)
    with pytest.raises(BlobMemoryError, match=r"layer 'b' \(InnerProduct\): Unable to allocate 3 TiB"):
        net.forward()


def test_stochastic_pooling_backward_needs_a_forward(net_of):
    net = net_of(input_layer(1, 1, 2, 2) + "layer { name: 'p' type: 'Pooling' bottom: 'x' top: 'y' pooling_param { "
                 "pool: STOCHASTIC kernel_size: 2 } } force_backward: true", caffe.TRAIN)
    with pytest.raises(LayerError, match=r"layer 'p'.*run forward before backward"):
        net.backward()


def test_a_data_layer_that_finds_no_file_is_named(net_of):
    with pytest.raises(MissingFileError, match=r"layer 'images' \(ImageData\): .*none\.txt"):
        net_of("layer { name: 'images' type: 'ImageData' top: 'x' top: 'y' image_data_param { source: 'none.txt' } }")
