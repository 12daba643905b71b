"""Layers that compute each value alone: values, gradients, in place, edge values, refusals."""

import numpy as np
import pytest
from helpers import build_layer, check_gradient, run_layer

from caffe_fcn.errors import LayerError
from caffe_fcn.memory import Head

RNG = np.random.default_rng(1)
X = RNG.normal(size=(2, 3, 4)) + 0.01
POSITIVE = RNG.uniform(0.5, 2, (2, 3, 4))

# layer text, its inputs, the same in NumPy
CASES = {
    "relu": ("type: 'ReLU'", X, lambda x: np.maximum(x, 0)),
    "relu_slope": ("type: 'ReLU' relu_param { negative_slope: 0.25 }", X, lambda x: np.where(x > 0, x, 0.25 * x)),
    "relu_fold": ("type: 'ReLU' relu_param { negative_slope: -1 }", X, np.abs),
    "sigmoid": ("type: 'Sigmoid'", X, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": ("type: 'TanH'", X, np.tanh),
    "bnll": ("type: 'BNLL'", 8 * X, lambda x: np.log(1 + np.exp(x))),
    "elu": ("type: 'ELU' elu_param { alpha: 0.5 }", X, lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1))),
    "elu_fold": ("type: 'ELU' elu_param { alpha: -2 }", X, lambda x: np.where(x > 0, x, -2 * (np.exp(x) - 1))),
    "exp": ("type: 'Exp' exp_param { base: 3 scale: 0.5 shift: 2 }", X, lambda x: 3 ** (2 + 0.5 * x)),
    "exp_e": ("type: 'Exp' exp_param { shift: 1 }", X, lambda x: np.exp(1 + x)),
    "log": ("type: 'Log' log_param { base: 2 scale: 3 shift: 1 }", POSITIVE, lambda x: np.log2(1 + 3 * x)),
    "power_linear": ("type: 'Power' power_param { scale: -2 shift: 3 }", X, lambda x: 3 - 2 * x),
    "power_square": ("type: 'Power' power_param { power: 2 shift: 0.5 }", X, lambda x: (0.5 + x) ** 2),
    "power_root": ("type: 'Power' power_param { power: 0.5 }", POSITIVE, np.sqrt),
    "power_constant": ("type: 'Power' power_param { power: 2 scale: 0 shift: 3 }", X, lambda x: 9 + 0 * x),
    "swish": ("type: 'Swish' swish_param { beta: 2 }", X, lambda x: x / (1 + np.exp(-2 * x))),
    "clip": ("type: 'Clip' clip_param { min: -0.4 max: 0.7 }", X, lambda x: np.clip(x, -0.4, 0.7)),
    "dropout": ("type: 'Dropout' phase: TEST", X, lambda x: x),
}
each_case = pytest.mark.parametrize(("text", "x", "function"), CASES.values(), ids=CASES)


@each_case
@pytest.mark.parametrize("in_place", [False, True])
def test_values_and_gradient(text, x, function, in_place):
    text, phase = text.replace(" phase: TEST", ""), "TEST" if "TEST" in text else "TRAIN"
    np.testing.assert_allclose(run_layer(text, [x], phase=phase, in_place=in_place).y, function(x), 1e-5, 1e-6)
    check_gradient(text, [x], phase=phase, in_place=in_place)


def test_abs_val():
    assert run_layer("type: 'AbsVal'", [[-2, 0, 3]]).y.tolist() == [2, 0, 3]
    assert run_layer("type: 'AbsVal'", [[-2, 0, 3]], top_diffs=[[1, 1, 1]]).bottom[0].diff.tolist() == [-1, 0, 1]
    with pytest.raises(LayerError, match="in place"):
        build_layer("type: 'AbsVal'", [X], in_place=True)


def test_threshold_is_strict_and_has_no_backward():
    text = "type: 'Threshold' threshold_param { threshold: 1 }"
    assert run_layer(text, [[0.5, 1, 1.5]]).y.tolist() == [0, 0, 1]
    with pytest.raises(LayerError, match="no backward"):
        run_layer(text, [[1]], top_diffs=[[1]])


@pytest.mark.parametrize(("text", "gradient"), [
    ("type: 'ReLU' relu_param { negative_slope: 0.5 }", 0.5),
    ("type: 'ELU' elu_param { alpha: 0.5 }", 0.5),
    ("type: 'Clip' clip_param { min: 0 max: 1 }", 1),
])
def test_gradient_at_exactly_0(text, gradient):
    assert run_layer(text, [[0]], top_diffs=[[1]]).bottom[0].diff.tolist() == [gradient]


def test_relu_of_what_is_not_finite():
    run = run_layer("type: 'ReLU'", [[np.nan, np.inf, -np.inf]], top_diffs=[[1, 1, 1]])
    np.testing.assert_array_equal(run.y, [np.nan, np.inf, np.nan])  # 0 * -inf
    assert run.bottom[0].diff.tolist() == [0, 1, 0]


def test_relu_gives_no_negative_zero():
    assert not np.signbit(run_layer("type: 'ReLU'", [[-1, 0]]).y).any()


def test_sigmoid_of_low_values_is_exactly_0():
    assert run_layer("type: 'Sigmoid'", [[-20, 0, 20]]).y.tolist() == [0, 0.5, 1]


def test_bnll_of_large_values():
    run = run_layer("type: 'BNLL'", [[-200, 200]], top_diffs=[[1, 1]])
    assert (run.y.tolist(), run.bottom[0].diff.tolist()) == ([0, 200], [0, 1])


def test_gradient_of_a_cube_at_0_is_nan_as_in_caffe():
    run = run_layer("type: 'Power' power_param { power: 3 }", [[0, 2]], top_diffs=[[1, 1]])
    np.testing.assert_array_equal(run.bottom[0].diff, [np.nan, 12])


def test_power_of_nothing_is_1():
    text = "type: 'Power' power_param { power: 0 scale: 2 shift: 1 }"
    run = run_layer(text, [[5]], top_diffs=[[1]])
    assert (run.y.tolist(), run.bottom[0].diff.tolist()) == ([1], [0])
    assert run_layer("type: 'Power' power_param { power: -1 scale: 0 shift: 0 }", [[5]]).y.tolist() == [np.inf]


def test_log_outside_its_domain():
    np.testing.assert_array_equal(run_layer("type: 'Log'", [[0, -1]]).y, [-np.inf, np.nan])


@pytest.mark.parametrize(("text", "message"), [
    ("type: 'Log' log_param { base: 1 }", "'base' must be above 0 and not 1"),
    ("type: 'Log' log_param { base: -2 }", "'base' must be above 0"),
    ("type: 'Exp' exp_param { base: 0 }", "'base' must be above 0"),
    ("type: 'Dropout' dropout_param { dropout_ratio: 1.5 }", "from 0 to 1, got 1.5"),
])
def test_refused_parameters(text, message):
    with pytest.raises(LayerError, match=message):
        build_layer(text, [X])


# Dropout


def test_dropout_drops_the_ratio_and_keeps_the_mean():
    x = np.ones((100, 100))
    run = run_layer("type: 'Dropout' dropout_param { dropout_ratio: 0.2 }", [x], top_diffs=[x])
    assert set(np.unique(run.y)) == {0, np.float32(1.25)}
    assert abs((run.y == 0).mean() - 0.2) < 0.02
    assert np.array_equal(run.bottom[0].diff, run.y)


@pytest.mark.parametrize("in_place", [False, True])
def test_dropout_gradient(in_place):
    check_gradient("type: 'Dropout'", [X], in_place=in_place)


def test_dropout_draws_anew_and_repeats_with_a_seed():
    from caffe_fcn import mode

    run = run_layer("type: 'Dropout'", [np.ones(1000)])
    values = []
    for seed in (3, 3, 4):
        mode.set_random_seed(seed)
        run.layer.forward(run.bottom, run.top)
        values.append(run.y.copy())
    assert np.array_equal(values[0], values[1])
    assert not np.array_equal(values[0], values[2])


def test_dropout_of_all_values_gives_0():
    assert not run_layer("type: 'Dropout' dropout_param { dropout_ratio: 1 }", [X]).y.any()


def test_dropout_backward_needs_a_forward_pass():
    layer, bottom, top = build_layer("type: 'Dropout'", [X])
    with pytest.raises(LayerError, match="run forward before backward"):
        layer.backward(top, [True], bottom)


# PReLU


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_prelu_gradient(shared, in_place):
    text = f"type: 'PReLU' prelu_param {{ channel_shared: {str(shared).lower()} }}"
    for shape in ((5, 3), (2, 3, 4), (2, 3, 2, 4)):
        check_gradient(text, [RNG.normal(size=shape)], in_place=in_place)


def test_prelu_starts_at_a_quarter():
    run = run_layer("type: 'PReLU'", [[[-4.0, 4.0, 0.0]]])
    assert run.layer.blobs[0].shape == (3,)
    assert run.y.tolist() == [[-1, 4, 0]]


def test_prelu_needs_channels():
    with pytest.raises(LayerError, match=r"2 to 4 axes, got \(4,\)"):
        build_layer("type: 'PReLU'", [np.zeros(4)])
    run = build_layer("type: 'PReLU'", [np.zeros((2, 3))])
    run.bottom[0].reshape(2, 4)
    with pytest.raises(LayerError, match="has 3 slopes"):
        run.layer.reshape(run.bottom, run.top)


# all


@each_case
def test_empty_batches_and_single_values(text, x, function):
    text = text.replace(" phase: TEST", "")
    run = run_layer(text, [np.zeros((0, 3))], top_diffs=[np.zeros((0, 3))], phase="TEST")
    assert run.y.shape == run.bottom[0].diff.shape == (0, 3)
    value = x.flat[0]
    np.testing.assert_allclose(run_layer(text, [value], phase="TEST").y, function(value), 1e-5)


@each_case
def test_forward_alone_allocates_no_diffs_and_keeps_no_copies(text, x, function):
    run = build_layer(text.replace(" phase: TEST", ""), [x], in_place=True, phase="TEST")
    run.layer.needs_backward = False
    run.layer.forward(run.bottom, run.top)
    assert run.bottom[0].memories[1].head is Head.NONE
    assert getattr(run.layer, "_kept", None) is None
