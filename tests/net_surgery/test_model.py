"""Model: files in and out, odd weight files, nets that the engine had split."""

from __future__ import annotations

import numpy as np
import pytest
from surgery_nets import conv, inputs, layer, random_model

import caffe
from caffe_fcn.errors import FormatError, MissingFileError, NetError, PrototxtError, WeightsError
from caffe_fcn.proto import caffe_pb2
from net_surgery import Model, rename

FORK = inputs(1, 3, 4, 4) + conv("a", "data", 2) + layer("r", "ReLU", "a", "r") + layer("t", "TanH", "a", "t")
SHARED = (
    inputs(1, 4)
    + layer("a", "InnerProduct", "data", "a", "param { name: 'w' } inner_product_param { num_output: 4 }")
    + layer("b", "InnerProduct", "a", "b", "param { name: 'w' } inner_product_param { num_output: 4 }")
)


@pytest.mark.parametrize("name", ["w.caffemodel", "w.caffemodel.h5"])
def test_files_hold_the_model(name, tmp_path):
    model = random_model(FORK)
    model.save(tmp_path / "net.prototxt", tmp_path / name)
    again = Model.load(tmp_path / "net.prototxt", tmp_path / name)
    assert again.net == model.net and again.weights.keys() == model.weights.keys()
    assert all(np.array_equal(x, y) for x, y in zip(again.weights["a"], model.weights["a"], strict=True))
    net = caffe.Net(str(tmp_path / "net.prototxt"), str(tmp_path / name), caffe.TEST)
    assert np.array_equal(net.params["a"][0].data, model.weights["a"][0])


def test_a_net_gives_its_layers_without_splits():
    model = random_model(FORK)
    again = Model.from_net(model.build())
    assert again.net == model.net and np.array_equal(again.weights["a"][0], model.weights["a"][0])


def test_loss_weights_survive_splits():
    text = FORK.replace("top: 'a' convolution_param", "top: 'a' loss_weight: 2 convolution_param")
    assert list(Model.from_net(random_model(text).build()).layer("a").loss_weight) == [2]


def test_shared_blobs_of_an_hdf5_file_find_their_owner(tmp_path):
    net = random_model(SHARED).build(caffe.TRAIN)
    net.save_hdf5(tmp_path / "w.h5")
    (tmp_path / "net.prototxt").write_text(SHARED)
    model = Model.load(tmp_path / "net.prototxt", tmp_path / "w.h5")
    assert np.array_equal(model.weights["b"][0], net.params["a"][0].data)
    (tmp_path / "apart.prototxt").write_text(SHARED.replace("param { name: 'w' }", ""))
    with pytest.raises(WeightsError, match="layer 'b' shares a blob with another layer"):
        Model.load(tmp_path / "apart.prototxt", tmp_path / "w.h5")


def old_file(path, shapes):
    """A caffemodel with shapes of four axes."""
    message = caffe_pb2.NetParameter()
    entry = message.layer.add(name="fc", type="InnerProduct")
    for number, channels, height, width in shapes:
        entry.blobs.add(
            num=number, channels=channels, height=height, width=width, data=range(number * channels * height * width)
        )
    path.write_bytes(message.SerializeToString())


def test_old_shapes_of_four_axes_are_understood(tmp_path):
    text = inputs(1, 4) + layer("fc", "InnerProduct", "data", "fc", "inner_product_param { num_output: 3 }")
    (tmp_path / "net.prototxt").write_text(text)
    old_file(tmp_path / "old.caffemodel", [(1, 1, 3, 4), (1, 1, 1, 3)])
    model = Model.load(tmp_path / "net.prototxt", tmp_path / "old.caffemodel")
    assert [array.shape for array in model.weights["fc"]] == [(3, 4), (3,)]
    assert model.build().params["fc"][0].data[1].tolist() == [4, 5, 6, 7]
    old_file(tmp_path / "odd.caffemodel", [(2, 1, 3, 4), (1, 1, 1, 3)])
    with pytest.raises(WeightsError, match=r"layer 'fc', blob 0: the old shape \(2, 1, 3, 4\)"):
        Model.load(tmp_path / "net.prototxt", tmp_path / "odd.caffemodel")


def test_files_that_are_not_what_they_say(tmp_path):
    good, junk = tmp_path / "net.prototxt", tmp_path / "junk"
    good.write_text(FORK)
    junk.write_bytes(b"\x0a\xff\xff\xff\xff\x0f" + bytes(50))
    for net, weights, error in (
        (tmp_path / "none", None, MissingFileError),
        (junk, None, PrototxtError),
        (good, junk, FormatError),
        (good, tmp_path / "none", MissingFileError),
    ):
        with pytest.raises(error):
            Model.load(net, weights)


def test_weights_that_do_not_fit_the_net_are_named():
    model = random_model(FORK).copy()
    model.weights["a"] = (np.zeros((1, 2), np.float32),)
    with pytest.raises(WeightsError, match=r"layer 'a': the weights have the shapes \[\(1, 2\)\]"):
        model.build()


def test_two_layers_of_one_name_are_not_edited():
    model = random_model(inputs(1, 3, 4, 4) + conv("a", "data", 2) + layer("a", "ReLU", "a"))
    with pytest.raises(NetError, match="2 layers are called 'a'"):
        rename(model, {"a": "b"})


def test_a_failed_save_leaves_both_files(tmp_path):
    model = random_model(FORK)
    (tmp_path / "net.prototxt").write_text("old")
    with pytest.raises(OSError):
        model.save(tmp_path / "net.prototxt", tmp_path / "no folder" / "w.caffemodel")
    assert (tmp_path / "net.prototxt").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.prototxt"]
