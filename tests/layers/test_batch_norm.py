"""BatchNorm: the sums, both kinds of statistics, gradients, in place, errors."""

import numpy as np
import pytest

import caffe
from caffe_fcn.errors import LayerError, ShapeError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse
from tests.layers.helpers import build_layer, check_gradient, run_layer

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(2, 3, size=(3, 4, 2, 5))
SUMS = [RANDOM.normal(size=4), RANDOM.uniform(1, 2, 4), [2.5]]


def text(fields=""):
    return f"type: 'BatchNorm' batch_norm_param {{ {fields} }}"


def per_channel(values):
    return np.asarray(values).reshape(1, -1, 1, 1)


@pytest.mark.parametrize("shape", [(3, 4, 2, 5), (6, 4), (1, 4, 3), (2, 3, 2, 2, 2)])
def test_train_uses_the_batch(shape):
    x = RANDOM.normal(2, 3, size=shape)
    axes = (0, *range(2, len(shape)))
    want = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(run_layer(text(), [x]).y, want, rtol=1e-4, atol=1e-5)
    check_gradient(text(), [x], params=[np.zeros(shape[1]), np.zeros(shape[1]), [0]])


@pytest.mark.parametrize(("fields", "phase"), [("", "TEST"), ("use_global_stats: true", "TRAIN")])
def test_stored_sums_are_divided_by_their_weight(fields, phase):
    want = (X - per_channel(SUMS[0]) / 2.5) / np.sqrt(per_channel(SUMS[1]) / 2.5 + 1e-5)
    run = run_layer(text(fields), [X], params=SUMS, phase=phase, top_diffs=[np.ones(X.shape)])
    np.testing.assert_allclose(run.y, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run.bottom[0].diff[0, :, 0, 0], 1 / np.sqrt(SUMS[1] / 2.5 + 1e-5), rtol=1e-5)
    np.testing.assert_allclose(run.layer.blobs[0].data, SUMS[0], rtol=1e-6)  # not changed


def test_weight_0_means_mean_0_and_variance_eps():
    run = run_layer(text("eps: 0.25"), [X], params=[SUMS[0], SUMS[1], [0]], phase="TEST")
    np.testing.assert_allclose(run.y, X / 0.5, rtol=1e-6)


def test_sums_grow_with_the_unbiased_variance():
    run = run_layer(text("moving_average_fraction: 0.7"), [X], params=SUMS)
    axes, count = (0, 2, 3), 30
    np.testing.assert_allclose(run.layer.blobs[0].data, 0.7 * SUMS[0] + X.mean(axes), rtol=1e-5)
    np.testing.assert_allclose(run.layer.blobs[1].data, 0.7 * SUMS[1] + X.var(axes) * count / (count - 1), rtol=1e-5)
    np.testing.assert_allclose(run.layer.blobs[2].data, [0.7 * 2.5 + 1], rtol=1e-6)


def test_one_value_for_each_channel():
    run = run_layer(text(), [X[:1, :, :1, :1]])
    assert not run.y.any()
    assert not run.layer.blobs[1].data.any()


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_in_place(phase):
    grad = RANDOM.normal(size=X.shape)
    apart = run_layer(text(), [X], params=SUMS, phase=phase, top_diffs=[grad])
    run = run_layer(text(), [X], params=SUMS, phase=phase, in_place=True)
    np.testing.assert_array_equal(run.y, apart.y)
    run.y[...] = 7  # as a layer that follows in place would do
    run.top[0].diff[...] = grad
    run.layer.backward(run.top, [True], run.bottom)
    np.testing.assert_allclose(run.bottom[0].diff, apart.bottom[0].diff, rtol=1e-4, atol=1e-5)


def test_param_diffs_are_never_written():
    run = run_layer(text(), [X], top_diffs=[np.ones(X.shape)])
    assert not any(blob.diff.any() for blob in run.layer.blobs)


def net(params):
    message = caffe_pb2.NetParameter()
    return caffe.Net(parse("layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: [2, 3] } } } "
                           f"layer {{ name: 'n' type: 'BatchNorm' bottom: 'x' top: 'y' {params} }}", message),
                     caffe.TRAIN)


@pytest.mark.parametrize("params", ["", "param { name: 'mean' lr_mult: 0 }"])
def test_solvers_leave_the_sums_alone(params):
    assert net(params)._wiring.params.lr_mults == [0, 0, 0]


def test_learning_the_sums_is_refused():
    with pytest.raises(LayerError, match=r"'n'.*param 1 needs lr_mult: 0, got 1"):
        net("param { lr_mult: 0 } param { name: 'v' }")


def test_a_bottom_without_channels():
    with pytest.raises(ShapeError, match=r"\(7,\)"):
        build_layer(text(), [np.zeros(7)])


def test_another_number_of_channels():
    run = build_layer(text(), [X])
    run.bottom[0].reshape(2, 5, 1, 1)
    with pytest.raises(ShapeError, match="4 channels"):
        run.layer.reshape(run.bottom, run.top)
