"""Pooling: sizes, quirks of the borders, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import check_gradient, run_layer

from caffe_fcn import errors, mode
from caffe_fcn.memory import Head

LOWEST = np.finfo(np.float32).min


def pooling(fields):
    return f"type: 'Pooling' pooling_param {{ {fields} }}"


def values(*shape):
    return np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) / 7 - 3  # no ties


SIZES = {  # fields: (H, W), (h, w)
    "kernel_size: 2 stride: 2": ((5, 6), (3, 3)),
    "kernel_size: 2 stride: 2 round_mode: FLOOR": ((5, 6), (2, 3)),
    "kernel_size: 3 stride: 2 pad: 1": ((5, 6), (3, 4)),
    "kernel_h: 3 kernel_w: 1 stride_h: 1 stride_w: 5": ((5, 6), (3, 2)),
    "kernel_h: 3 kernel_w: 2 pad_h: 2 pad_w: 0": ((4, 4), (6, 3)),
    "kernel_size: 2 stride: 2 pad: 1": ((5, 5), (3, 3)),
    "kernel_size: 1 stride: 3": ((5, 8), (3, 4)),  # without padding the windows outside stay
    "kernel_h: 1 kernel_w: 2 pad_h: 0 pad_w: 1 stride: 3": ((5, 8), (2, 3)),  # with it they go, on both axes
    "kernel_size: 5 stride: 3": ((3, 4), (1, 1)),
    "kernel_size: 3": ((2, 2), (0, 0)),
    "global_pooling: true": ((5, 7), (1, 1)),
}


@pytest.mark.parametrize("fields", SIZES)
def test_size(fields):
    size, want = SIZES[fields]
    assert run_layer(pooling(fields), [values(2, 3, *size)]).y.shape == (2, 3, *want)


@pytest.mark.parametrize("method", ["MAX", "AVE"])
@pytest.mark.parametrize("fields", [fields for fields in SIZES if fields != "kernel_size: 1 stride: 3"])
def test_gradient(method, fields):
    size, _ = SIZES[fields]
    check_gradient(pooling(f"pool: {method} {fields}"), [values(2, 3, *size)])


def test_gradient_by_mask():
    check_gradient(pooling("kernel_size: 3 stride: 2 pad: 1"), [values(2, 3, 5, 6)], tops=2)


def test_backward_follows_the_mask_top():
    run = run_layer(pooling("kernel_size: 2 stride: 2"), [values(1, 1, 4, 4)], tops=2)
    run.top[0].diff[...] = 1
    run.top[1].data[...] = [[[[0, 0], [0, 5]]]]
    run.layer.backward(run.top, [True], run.bottom)
    assert run.bottom[0].diff.ravel().tolist() == [3, 0, 0, 0, 0, 1] + [0] * 10


def test_windows_outside_give_lowest_and_mask_minus_one_and_no_gradient():
    run = run_layer(pooling("kernel_size: 1 stride: 3"), [values(1, 2, 5, 8)], tops=2, top_diffs=[1, 1])
    mask = run.top[1].data
    assert (run.y[:, :, 2] == LOWEST).all() and (run.y[..., 3] == LOWEST).all()
    assert (mask[:, :, 2] == -1).all() and (mask[..., 3] == -1).all()
    assert run.bottom[0].diff.sum() == 2 * 2 * 3


def test_the_first_of_equal_values_is_the_maximum():
    run = run_layer(pooling("kernel_size: 2"), [np.ones((1, 1, 2, 2))], tops=2, top_diffs=[1, 1])
    assert run.top[1].data.item() == 0
    assert run.bottom[0].diff.ravel().tolist() == [1, 0, 0, 0]


def test_average_counts_the_padding_but_not_what_is_beyond():
    y = run_layer(pooling("pool: AVE kernel_size: 3 stride: 2 pad: 1"), [np.ones((1, 1, 4, 4))]).y
    real, area = np.array([2, 3, 1]), np.array([3, 3, 2])  # of each window, along one axis
    np.testing.assert_allclose(y[0, 0], np.outer(real, real) / np.outer(area, area), rtol=1e-6)


def test_global_pooling_follows_the_input():
    run = run_layer(pooling("pool: AVE global_pooling: true"), [values(2, 3, 4, 4)])
    x = values(2, 3, 7, 3)
    run.bottom[0].reshape(*x.shape)
    run.bottom[0].data[...] = x
    run.layer.reshape(run.bottom, run.top)
    run.layer.forward(run.bottom, run.top)
    np.testing.assert_allclose(run.y[..., 0, 0], x.mean((2, 3)), rtol=1e-5)


def test_stochastic_train_draws_values_and_sends_gradients_there():
    x, text = np.abs(values(2, 3, 6, 6)), pooling("pool: STOCHASTIC kernel_size: 2 stride: 2")
    mode.set_random_seed(1)
    run = run_layer(text, [x], top_diffs=[1])
    np.testing.assert_allclose((x * run.bottom[0].diff).reshape(2, 3, 3, 2, 3, 2).sum((3, 5)), run.y, rtol=1e-6)
    mode.set_random_seed(1)
    assert (run_layer(text, [x]).y == run.y).all()


def test_stochastic_test_phase_gives_the_expected_value():
    x = np.abs(values(1, 1, 2, 2))
    run = run_layer(pooling("pool: STOCHASTIC kernel_size: 2"), [x], phase="TEST")
    assert run.y.item() == pytest.approx((x * x).sum() / x.sum())


@pytest.mark.parametrize(("fields", "tops", "words"), [
    ("", 1, "needs either 'kernel_size' or both 'kernel_h' and 'kernel_w', got none"),
    ("kernel_size: 2 kernel_h: 2 kernel_w: 2", 1, "needs either 'kernel_size'"),
    ("kernel_w: 2", 1, "needs either 'kernel_size'"),
    ("kernel_size: 0", 1, "'kernel_size' must be at least 1, got 0"),
    ("kernel_size: 2 stride: 0", 1, "'stride' must be at least 1, got 0"),
    ("kernel_size: 2 stride_h: 2", 1, "needs either 'stride' or both"),
    ("kernel_size: 2 pad_h: 1", 1, "needs either 'pad' or both"),
    ("kernel_size: 2 pad: 2", 1, "'pad' must be smaller than the kernel"),
    ("kernel_h: 2 kernel_w: 5 pad_h: 2 pad_w: 0", 1, "'pad' must be smaller than the kernel"),
    ("global_pooling: true stride: 2", 1, "stride 1 and pad 0 only"),
    ("global_pooling: true kernel_size: 2", 1, "leave out"),
    ("pool: STOCHASTIC kernel_size: 2 pad: 1", 1, "STOCHASTIC pooling takes no 'pad'"),
    ("pool: AVE kernel_size: 2", 2, "takes 1 top"),
    ("kernel_size: 9", 1, "too large for the input"),
])
def test_refuses(fields, tops, words):
    with pytest.raises(errors.LayerError, match=words):
        run_layer(pooling(fields), [values(1, 1, 5, 5)], tops=tops)


def test_refuses_other_than_four_axes():
    with pytest.raises(errors.ShapeError, match="4 axes"):
        run_layer(pooling("kernel_size: 2"), [values(3, 5, 5)])


def test_stochastic_has_no_gradient_in_the_test_phase():
    with pytest.raises(errors.LayerError, match="TRAIN phase only"):
        run_layer(pooling("pool: STOCHASTIC kernel_size: 2"), [values(1, 1, 5, 5)], phase="TEST", top_diffs=[1])


def test_refuses_in_place():
    with pytest.raises(errors.LayerError, match="cannot run in place"):
        run_layer(pooling("kernel_size: 1"), [values(1, 1, 5, 5)], in_place=True)


def test_forward_touches_no_diffs():
    run = run_layer(pooling("kernel_size: 2"), [values(1, 1, 5, 5)])
    assert all(blob.memories[1].head is Head.NONE for blob in run.bottom + run.top)
