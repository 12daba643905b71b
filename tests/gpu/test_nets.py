"""Nets and solvers in GPU mode: the CPU's numbers, few copies, and errors that name the layer."""

import copy
import gc
import pickle

import numpy as np
import pytest
from standin import counts
from standin.cuda import pool

import caffe
from caffe_fcn import mode, stats
from caffe_fcn.errors import BlobMemoryError, LabelError
from caffe_fcn.memory import Head

FCN = """
layer { name: 'data' type: 'Input' top: 'data' top: 'label'
        input_param { shape { dim: 1 dim: 3 dim: 20 dim: 28 } shape { dim: 1 dim: 1 dim: 20 dim: 28 } } }
layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1'
        convolution_param { num_output: 4 kernel_size: 3 pad: 10 weight_filler { type: 'xavier' }
                            bias_filler { value: 0.1 } } }
layer { name: 'relu1' type: 'ReLU' bottom: 'conv1' top: 'conv1' }
layer { name: 'pool1' type: 'Pooling' bottom: 'conv1' top: 'pool1' pooling_param { kernel_size: 2 stride: 2 } }
layer { name: 'conv2' type: 'Convolution' bottom: 'pool1' top: 'conv2'
        convolution_param { num_output: 6 kernel_size: 3 weight_filler { type: 'xavier' } bias_filler { value: 0.1 } } }
layer { name: 'relu2' type: 'ReLU' bottom: 'conv2' top: 'conv2' }
layer { name: 'drop' type: 'Dropout' bottom: 'conv2' top: 'conv2' dropout_param { dropout_ratio: RATIO } }
layer { name: 'score' type: 'Convolution' bottom: 'conv2' top: 'score'
        convolution_param { num_output: 5 kernel_size: 1 weight_filler { type: 'xavier' } } }
layer { name: 'skip' type: 'Convolution' bottom: 'pool1' top: 'skip'
        convolution_param { num_output: 5 kernel_size: 1 weight_filler { type: 'xavier' } } }
layer { name: 'cut' type: 'Crop' bottom: 'skip' bottom: 'score' top: 'cut' crop_param { axis: 2 offset: 1 } }
layer { name: 'fuse' type: 'Eltwise' bottom: 'score' bottom: 'cut' top: 'fuse' }
layer { name: 'up' type: 'Deconvolution' bottom: 'fuse' top: 'up'
        convolution_param { num_output: 5 group: 5 kernel_size: 4 stride: 2 bias_term: false
                            weight_filler { type: 'bilinear' } } param { lr_mult: 0 } }
layer { name: 'out' type: 'Crop' bottom: 'up' bottom: 'data' top: 'out' crop_param { axis: 2 offset: 3 } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'out' bottom: 'label' top: 'loss'
        loss_param { ignore_label: 255 } }
"""
SOLVERS = ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"]


@pytest.fixture
def fcn(tmp_path):
    """Make the net with the same weights and inputs each time."""

    def make(ratio=0.0, phase=caffe.TRAIN):
        path = tmp_path / "net.prototxt"
        path.write_text(FCN.replace("RATIO", str(ratio)))
        caffe.set_random_seed(3)
        net = caffe.Net(str(path), phase)
        fill(net, 0)
        return net

    return make


def fill(net, seed):
    random = np.random.default_rng(seed)
    net.blobs["data"].data[...] = random.normal(size=net.blobs["data"].shape)
    labels = random.integers(0, 6, net.blobs["label"].shape)
    net.blobs["label"].data[...] = np.where(labels == 5, 255, labels)


def gradients(net):
    return {name: [blob.diff.copy() for blob in blobs] for name, blobs in net.params.items()}


def close(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * max(1, np.abs(other).max()))


def test_a_net_gives_the_numbers_of_the_cpu(fcn, any_gpu):
    results = []
    for set_mode in (caffe.set_mode_gpu, caffe.set_mode_cpu):
        set_mode()
        net = fcn()
        loss = net.forward()["loss"].copy()
        net.backward()
        results.append((loss, net.blobs["out"].data, net.blobs["data"].diff, gradients(net)))
    (loss, out, diff, found), (their_loss, their_out, their_diff, wanted) = results
    close(loss, their_loss)
    close(out, their_out)
    close(diff, their_diff)
    for name, diffs in wanted.items():
        for one, other in zip(found[name], diffs, strict=True):
            close(one, other)


def test_a_stream_of_images_is_copied_once_each(fcn, any_gpu):
    """Two inputs go up in each pass; nothing comes down but what is asked for, once."""
    net = fcn()
    net.forward()
    for seed in (1, 2):
        fill(net, seed)
        with stats.watch() as seen:
            net.forward()
        assert (seen["uploads"], seen["downloads"]) == (2, 0)
        with stats.watch() as seen:
            for _ in range(3):
                net.blobs["out"].data.sum()
        assert (seen["uploads"], seen["downloads"]) == (0, 1)


def test_a_pass_waits_for_the_card_at_its_end_only(fcn, gpu):
    """The loss and one flag of bad labels: nothing else is fetched in a training iteration."""
    net = fcn()
    last = len(net.layers) - 1
    for _ in range(2):
        counts.clear()
        net.clear_param_diffs()
        net._forward(0, last)
        net._backward(last, 0)
        fetched = counts["item"]
    assert fetched == 3  # the loss, and the labels' flag of both passes
    assert counts["get"] == 0


def test_parameters_stay_on_the_card(fcn, any_gpu):
    net = fcn()
    net.forward()
    assert all(blob.memories[0].head is Head.DEVICE for blobs in net.params.values() for blob in blobs)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_bad_label_is_refused_with_its_layer(direction, fcn, any_gpu):
    net = fcn()
    net.forward()
    net.blobs["label"].data[0, 0, 2, 3] = 77
    with pytest.raises(LabelError, match=r"layer 'loss' \(SoftmaxWithLoss\).*\(0, 0, 2, 3\) is 77.*ignore_label: 77"):
        getattr(net, direction)()
    fill(net, 1)
    net.forward()


def test_results_come_when_they_are_asked_for(fcn, any_gpu):
    net = fcn()
    with stats.watch() as seen:
        result = net.forward(["score"])
        assert set(result) == {"loss", "score"}
        assert "loss" in result
        assert len(result) == 2
    assert seen["downloads"] == 0
    loss = result["loss"]
    assert np.shares_memory(loss, result["loss"])
    assert loss == net.blobs["loss"].data
    assert {name: value.shape for name, value in result.items()} == {"loss": (), "score": net.blobs["score"].shape}
    ways = (result, dict(result), {**result}, result.copy(), result | {}, {} | result, copy.copy(result),
            pickle.loads(pickle.dumps(result)), dict(zip(result, result.values(), strict=True)))
    for way in ways:
        assert all(type(value) is np.ndarray for value in way.values()) and len(way) == 2
    assert type(ways[-2]) is dict
    assert result.get("nothing", 1) == 1
    assert result.get("score").shape == net.blobs["score"].shape
    assert result.setdefault("score").shape == net.blobs["score"].shape
    assert "array(" in repr(net.forward())
    alone = net.forward()
    assert (alone == {"loss": loss}, alone != {"loss": loss}) == (True, False)
    assert net.forward().pop("loss") == net.forward().popitem()[1] == loss
    assert net.forward().pop("nothing", 5) == 5
    for taken in (lambda: result["nothing"], lambda: result.pop("nothing")):
        with pytest.raises(KeyError):
            taken()
    result["own"] = loss
    assert result["own"] is loss
    with pytest.raises(KeyError, match="nothing"):
        net.forward(["nothing"])


@pytest.mark.parametrize("took", [lambda net: net.forward()["loss"], lambda net: net.blobs["loss"].data])
def test_an_array_of_an_output_follows_the_passes(took, fcn, any_gpu):
    """Also if their results are ignored. Of other blobs it does not, as in Caffe's GPU mode."""
    net = fcn()
    loss, result = took(net), net.forward()
    for scale in (2, 3):
        fill(net, scale)
        net.forward()
        fresh = net.blobs["loss"].array.get()
        assert loss == fresh
        assert result["loss"] == fresh
    assert result.keys() == {"loss"}


def test_a_gradient_that_somebody_has_follows_the_passes(fcn, any_gpu):
    net = fcn()
    net.forward()
    grad = net.backward(["score"])["score"]
    want = grad.copy()
    assert want.any()
    grad[...] = 0
    for downloads in (1, 0):
        with stats.watch() as seen:
            net.backward(["score"])
        assert seen["downloads"] == downloads
        if downloads:
            np.testing.assert_array_equal(grad, want)
            del grad


def test_inputs_may_be_on_the_card(fcn, any_gpu):
    net = fcn()
    values = np.random.default_rng(4).normal(size=net.blobs["data"].shape).astype(np.float32)
    wanted = net.forward(data=values, label=net.blobs["label"].data)["loss"].copy()
    with stats.watch() as seen:
        ignored = any_gpu.zeros(net.blobs["label"].shape, np.float32) + 255
        found = net.forward(data=any_gpu.asarray(values), label=ignored)
    assert seen["uploads"] == 0
    assert found["loss"] == 0
    assert wanted > 0


def test_a_user_s_layer_sees_numpy(tmp_path, any_gpu, monkeypatch):
    (tmp_path / "twice_on_gpu.py").write_text(
        "import caffe, numpy\n"
        "class Twice(caffe.Layer):\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].shape)\n"
        "    def forward(self, bottom, top):\n"
        "        assert type(bottom[0].data) is numpy.ndarray\n"
        "        top[0].data[...] = 2 * bottom[0].data\n"
        "    def backward(self, top, propagate_down, bottom): bottom[0].diff[...] = 2 * top[0].diff\n")
    path = tmp_path / "net.prototxt"
    path.write_text("""
        force_backward: true
        layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 } } }
        layer { name: 'a' type: 'Power' bottom: 'x' top: 'a' power_param { scale: 3 } }
        layer { name: 'b' type: 'Python' bottom: 'a' top: 'b' python_param { module: 'twice_on_gpu' layer: 'Twice' } }
        layer { name: 'c' type: 'Power' bottom: 'b' top: 'c' power_param { scale: 5 } loss_weight: 1 }""")
    net = caffe.Net(str(path), caffe.TRAIN)
    net.blobs["x"].data[...] = 1
    assert (net.forward()["c"] == 30).all()
    net.backward()
    assert (net.blobs["x"].diff == 30).all()


def test_a_pass_that_cannot_fit_on_the_card_says_so_before_it_starts(fcn, gpu, monkeypatch):
    for limit in ("LARGE", "LARGE_INPUT"):
        monkeypatch.setattr(f"caffe_fcn.net.{limit}", 1 << 10)
    net = fcn()
    net.blobs["data"].reshape(1, 3, 200, 280)
    net.blobs["label"].reshape(1, 1, 200, 280)
    pool.set_limit(pool.used_bytes() + (1 << 20))
    with pytest.raises(BlobMemoryError, match=r"a forward pass needs .* for \d+ blobs.*the largest is '(conv1|up)'"):
        net.forward()
    assert net.blobs["conv1"].memories[0].is_missing(mode.device())


def test_a_net_goes_on_with_smaller_inputs_after_the_card_was_full(fcn, gpu):
    net = fcn()
    wanted = net.forward()["loss"].copy()
    used = pool.used_bytes()
    net.blobs["data"].reshape(1, 3, 200, 280)
    net.blobs["label"].reshape(1, 1, 200, 280)
    fill(net, 0)
    pool.set_limit(used + (2 << 20))
    with pytest.raises(BlobMemoryError, match=r"layer 'conv1' \(Convolution\).*2\.0 MiB.*free|layer '\w+' \(\w+\): .*"
                                              "use a smaller"):
        net.forward()
    gc.collect()  # the error's traceback held arrays
    net.blobs["data"].reshape(1, 3, 20, 28)
    net.blobs["label"].reshape(1, 1, 20, 28)
    fill(net, 0)
    assert net.forward()["loss"] == wanted


def test_release_empties_the_pool(fcn, gpu):
    net = fcn()
    net.forward()
    before, emptied = pool.used_bytes(), pool.emptied
    net.release()
    assert pool.used_bytes() < before
    assert pool.emptied == emptied + 1


def test_a_net_made_on_the_cpu_goes_on_on_the_card_and_back(fcn, any_gpu):
    caffe.set_mode_cpu()
    net = fcn()
    wanted = net.forward()["loss"].copy()
    for set_mode in (caffe.set_mode_gpu, caffe.set_mode_cpu):
        set_mode()
        close(net.forward()["loss"], wanted)


@pytest.mark.parametrize("kind", SOLVERS)
def test_training_gives_the_numbers_of_the_cpu(kind, tmp_path, any_gpu):
    path = tmp_path / "net.prototxt"
    path.write_text(FCN.replace("RATIO", "0"))
    solver_file = tmp_path / "solver.prototxt"
    momentum = "" if kind in ("AdaGrad", "RMSProp") else "momentum: 0.9"
    solver_file.write_text(f"net: '{path}' type: '{kind}' base_lr: 0.01 {momentum} lr_policy: 'fixed' delta: 1e-3 "
                           "weight_decay: 0.001 clip_gradients: 5 iter_size: 2 max_iter: 3 "
                           f"snapshot_prefix: '{tmp_path}/s'")
    weights = []
    for set_mode in (caffe.set_mode_gpu, caffe.set_mode_cpu):
        set_mode()
        caffe.set_random_seed(5)
        solver = caffe.get_solver(str(solver_file))
        fill(solver.net, 0)
        solver.step(3)
        weights.append([blob.data.copy() for blobs in solver.net.params.values() for blob in blobs])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-5)
