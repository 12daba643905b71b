"""Nets that keep only their outputs."""

import numpy as np
import pytest

import caffe
from caffe_fcn.errors import BlobMemoryError, NetError, RecycledError
from caffe_fcn.memory import Head, zeros

CONV = ("layer {{ name: '{0}' type: 'Convolution' bottom: '{1}' top: '{0}' convolution_param {{ num_output: 6 "
        "kernel_size: 3 pad: 1 weight_filler {{ type: 'gaussian' std: 0.3 }} }} }}\n"
        "layer {{ name: 'relu_{0}' type: 'ReLU' bottom: '{0}' top: '{0}' }}\n")
TEXT = ("layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 3 dim: 40 dim: 30 } } }\n"
        "layer { name: 'one' type: 'DummyData' top: 'one' dummy_data_param { shape { dim: 1 dim: 6 dim: 40 dim: 30 } "
        "data_filler { value: 3 } } }\n"
        + CONV.format("a", "x") + CONV.format("b", "a") + CONV.format("c", "b")
        + "layer { name: 'sum' type: 'Eltwise' bottom: 'a' bottom: 'c' bottom: 'one' top: 'sum' }\n"
        "layer { name: 'flat' type: 'Flatten' bottom: 'sum' top: 'flat' }\n"
        "layer { name: 'y' type: 'Power' bottom: 'flat' top: 'y' power_param { shift: 1 } }\n")


@pytest.fixture
def nets(tmp_path):
    """The same net with all blobs and with outputs only, the same input in both."""
    path = tmp_path / "net.prototxt"
    path.write_text(TEXT)
    caffe.set_random_seed(1)
    full, lean = caffe.Net(str(path), caffe.TEST), caffe.Net(str(path), caffe.TEST, keep="outputs")
    lean.share_with(full)
    fill(full, lean)
    return full, lean


def fill(*nets):
    for net in nets:
        shape = net.blobs["x"].shape
        net.blobs["x"].data[...] = np.random.default_rng(2).normal(size=shape)


def live(net):
    return {name for name, blob in net.blobs.items() if blob.memories[0].head is not Head.NONE}


def test_the_outputs_are_the_same_and_only_they_and_the_sources_stay(nets):
    full, lean = nets
    for size in (30, 50, 20):
        for net in nets:
            net.blobs["x"].reshape(1, 3, 40, size)
            net.blobs["one"].reshape(1, 6, 40, size)
            net.layer_dict["one"].param.dummy_data_param.shape[0].dim[3] = size
        fill(*nets)
        for _ in range(2):
            np.testing.assert_array_equal(lean.forward()["y"], full.forward()["y"])
        assert live(lean) == {"x", "one", "y"}


def test_blobs_asked_for_by_name_stay_until_the_next_pass(nets):
    full, lean = nets
    full.forward()
    got = lean.forward(["b", "a"])
    assert set(got) == {"a", "b", "y"}
    for name, value in got.items():
        np.testing.assert_array_equal(value, full.blobs[name].data)
    lean.forward()
    assert live(lean) == {"x", "one", "y"}


def test_a_part_of_the_net_keeps_its_end(nets):
    full, lean = nets
    np.testing.assert_array_equal(lean.forward(end="relu_b")["b"], full.forward(end="relu_b")["b"])


@pytest.mark.parametrize("access", [lambda net: net.blobs["b"].data, lambda net: net.blobs["sum"].data,
                                    lambda net: net.forward(start="c")])
def test_to_read_what_was_given_back_is_an_error(nets, access):
    _, lean = nets
    lean.forward()
    with pytest.raises(RecycledError, match=r"forward\(blobs="):
        access(lean)
    lean.forward()  # the net still works


def test_backward_is_refused(nets):
    _, lean = nets
    lean.forward()
    with pytest.raises(NetError, match="no backward pass"):
        lean.backward()


def test_an_unknown_word_is_refused(tmp_path):
    with pytest.raises(ValueError, match='"all" or "outputs", got \'all of it\''):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST, keep="all of it")


def test_the_forecast_counts_what_lives_at_a_time(nets, monkeypatch):
    full, lean = nets
    plane = 4 * 40 * 30
    for net in nets:
        net.release()
    ids = range(len(full.blobs))
    assert full._missing_memory(ids)[1] == plane * (3 + 6 * 6)
    assert lean._missing_memory(ids)[1] == plane * (3 + 6 + 3 * 6)  # x, one and of a, b, c, sum, y three at a time
    monkeypatch.setattr("caffe_fcn.net.LARGE", 0)
    monkeypatch.setattr("caffe_fcn.net.available_bytes", lambda: plane * 30)
    lean.forward()
    with pytest.raises(BlobMemoryError):
        full.forward()




def test_users_layers_may_read_their_tops_again(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text("layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 } } }\n"
                    "layer { name: 'p' type: 'Python' bottom: 'x' top: 'p' python_param { module: 'remembering' "
                    "layer: 'Remembering' } }\n"
                    "layer { name: 'y' type: 'Power' bottom: 'p' top: 'y' }\n")
    (tmp_path / "remembering.py").write_text(
        "import caffe\nclass Remembering(caffe.Layer):\n"
        "    def setup(self, bottom, top): top[0].reshape(1)\n"
        "    def reshape(self, bottom, top): pass\n"
        "    def forward(self, bottom, top): top[0].data[...] += 1\n")
    net = caffe.Net(str(path), caffe.TEST, keep="outputs")
    assert [net.forward()["y"].item() for _ in range(3)] == [1, 2, 3]


def test_users_layers_may_look_at_arrays_for_their_shapes(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text("layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 } } }\n"
                    "layer { name: 'a' type: 'Power' bottom: 'x' top: 'a' }\n"
                    "layer { name: 'p' type: 'Python' bottom: 'a' top: 'p' python_param { module: 'looking' "
                    "layer: 'Looking' } }\n"
                    "layer { name: 'y' type: 'Power' bottom: 'p' top: 'y' }\n")
    (tmp_path / "looking.py").write_text(
        "import caffe\nclass Looking(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].data.shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = bottom[0].data\n")
    net = caffe.Net(str(path), caffe.TEST, keep="outputs")
    net.forward()
    net.blobs["x"].reshape(3)
    net.reshape()
    assert net.blobs["y"].shape == (3,)
    with pytest.raises(RecycledError):
        assert net.blobs["a"].data.any()
    net.blobs["x"].data[...] = 5
    assert net.forward()["y"].tolist() == [5, 5, 5]


@pytest.mark.parametrize("count", [0, 3, 1 << 18, (1 << 19) + 1])
def test_zeros_can_be_written(count):
    values = zeros(count, np.float32)
    assert values.shape == (count,) and values.dtype == np.float32 and not values.any()
    values += 1
    assert values.sum() == count
