"""LSTM, RNN and LSTMUnit: gradients, the state between passes, exposed states, static input, errors."""

import numpy as np
import pytest

from caffe_fcn.errors import LayerError, ShapeError
from tests.layers.helpers import build_layer, check_gradient, run_layer

RANDOM = np.random.default_rng(3)
STEPS, BATCH, SIZE = 4, 3, 2
X = RANDOM.normal(size=(STEPS, BATCH, 5))
CONT = np.array([[1, 0, 1], [1, 1, 0], [1, 1, 1], [0, 1, 1]], float)
STATIC = RANDOM.normal(size=(BATCH, 6))


def text(kind, exposed=False):
    return (f"type: '{kind}' recurrent_param {{ num_output: {SIZE} expose_hidden: {str(exposed).lower()} "
            "weight_filler { type: 'uniform' min: -1 max: 1 } }")


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
@pytest.mark.parametrize("static", [False, True])
def test_gradient(kind, static):
    bottoms = [X, CONT, STATIC][:2 + static]
    check_gradient(text(kind), bottoms, only=[0, 2][:1 + static])


def test_unit_gradient():
    cell, drive = RANDOM.normal(size=(1, BATCH, SIZE)), RANDOM.normal(size=(1, BATCH, 4 * SIZE))
    check_gradient("type: 'LSTMUnit'", [cell, drive, CONT[:1]], tops=2, only=[0, 1])


@pytest.mark.parametrize(("kind", "gates", "own"), [
    ("LSTM", 4, [(8, 2)]), ("RNN", 1, [(2, 2), (2, 2), (2,)]),
])
def test_order_of_parameters(kind, gates, own):
    run = build_layer(text(kind), [X.reshape(STEPS, BATCH, 5, 1), CONT, STATIC])
    rows = gates * SIZE
    assert [blob.shape for blob in run.layer.blobs] == [(rows, 5), (rows,), (rows, 6), *own]


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_state_survives_a_pass_unless_cont_is_0(kind):
    run = run_layer(text(kind), [X, CONT])
    first = run.y.copy()
    run.layer.forward(run.bottom, run.top)
    np.testing.assert_array_equal(run.y[0, 1], first[0, 1])  # cont 0
    assert (run.y[0, ::2] != first[0, ::2]).all()


@pytest.mark.parametrize(("kind", "states"), [("LSTM", 2), ("RNN", 1)])
def test_two_passes_with_exposed_states_are_one(kind, states):
    zeros = [np.zeros((1, BATCH, SIZE))] * states
    whole = run_layer(text(kind, True), [X, CONT, *zeros], tops=1 + states)
    params = [blob.data for blob in whole.layer.blobs]
    first = run_layer(text(kind, True), [X[:2], CONT[:2], *zeros], tops=1 + states, params=params)
    ends = [blob.data for blob in first.top[1:]]
    second = run_layer(text(kind, True), [X[2:], CONT[2:], *ends], tops=1 + states, params=params)
    np.testing.assert_allclose(np.concatenate((first.y, second.y)), whole.y, rtol=1e-6)
    for end, expected in zip(second.top[1:], whole.top[1:], strict=True):
        np.testing.assert_allclose(end.data, expected.data, rtol=1e-6)


def test_exposed_states_get_no_gradient():
    zeros, ones = np.zeros((1, BATCH, SIZE)), np.ones((1, BATCH, SIZE))
    diffs = [np.zeros((STEPS, BATCH, SIZE)), ones, ones]
    run = run_layer(text("LSTM", True), [X, CONT, zeros, zeros], tops=3, top_diffs=diffs)
    assert not any(blob.diff.any() for blob in (*run.bottom, *run.layer.blobs))


def test_parameters_with_lr_mult_0_get_gradients_too():
    run = build_layer(text("LSTM"), [X, CONT])
    run.layer.param_propagate_down = [False] * 3
    run.layer.forward(run.bottom, run.top)
    run.top[0].diff[...] = 1
    run.layer.backward(run.top, [False, False], run.bottom)
    assert all(blob.diff.any() for blob in (run.bottom[0], *run.layer.blobs))


def test_without_backward_nothing_is_kept():
    run = build_layer(text("LSTM"), [X, CONT])
    run.layer.needs_backward = False
    run.layer.forward(run.bottom, run.top)
    assert run.layer._kept == []


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_number_of_steps_and_batch_may_change(kind):
    run = run_layer(text(kind), [X, CONT])
    run.bottom[0].reshape(2, 5, 5)
    run.bottom[1].reshape(2, 5)
    run.layer.reshape(run.bottom, run.top)
    run.layer.forward(run.bottom, run.top)
    assert run.y.shape == (2, 5, SIZE)


@pytest.mark.parametrize(("prototxt", "bottoms", "words"), [
    (text("LSTM"), [X, CONT[:, :2]], "cont"),
    (text("LSTM"), [X[:, :, 0], CONT], "input"),
    (text("RNN"), [X, CONT, STATIC[:2]], "static"),
    (text("RNN", True), [X, CONT, np.zeros((1, BATCH, SIZE + 1))], "state"),
    ("type: 'LSTMUnit'", [X[:1], X[:1], CONT[:1]], r"\(1, N, 4 D\)"),
])
def test_shapes_that_do_not_fit(prototxt, bottoms, words):
    with pytest.raises(ShapeError, match=words):
        build_layer(prototxt, bottoms, tops={"LSTMUnit": 2}.get(prototxt[7:15], 1 + ("true" in prototxt)))


def test_wider_input_than_the_weight_is_for():
    run = build_layer(text("LSTM"), [X, CONT])
    run.bottom[0].reshape(STEPS, BATCH, 6)
    with pytest.raises(ShapeError, match="6 values"):
        run.layer.reshape(run.bottom, run.top)


@pytest.mark.parametrize(("kind", "index"), [("LSTM", 1), ("RNN", 1), ("LSTMUnit", 2)])
def test_cont_has_no_gradient(kind, index):
    bottoms = [X[:1, :, :2], X[:1, :, :1].repeat(8, 2), CONT[:1]] if kind == "LSTMUnit" else [X, CONT]
    run = run_layer(text(kind), bottoms, tops=1 + (kind == "LSTMUnit"))
    assert not run.layer.allow_force_backward(index)
    with pytest.raises(LayerError, match="gradient of"):
        run.layer.backward(run.top, [i == index for i in range(len(bottoms))], run.bottom)


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_num_output_is_needed(kind):
    with pytest.raises(LayerError, match="num_output"):
        build_layer(f"type: '{kind}'", [X, CONT])
