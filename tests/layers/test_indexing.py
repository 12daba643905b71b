"""Embed, BatchReindex and Filter: chosen rows, gradients, empty choices, indices out of range."""

import numpy as np
import pytest

from caffe_fcn.errors import LabelError, LayerError, ShapeError
from tests.layers.helpers import build_layer, check_gradient, run_layer

RANDOM = np.random.default_rng(8)
X = RANDOM.normal(size=(4, 3, 2))
EMBED = "type: 'Embed' embed_param { num_output: 3 input_dim: 5 weight_filler { type: 'gaussian' } }"
REINDEX = "type: 'BatchReindex'"
FILTER = "type: 'Filter'"


def test_embed_looks_up_rows_and_adds_gradients_of_repeated_ones():
    index, grad = np.array([[4, 0], [4, 4]]), np.ones((2, 2, 3))
    run = build_layer(EMBED, [index])
    run.layer.forward(run.bottom, run.top)
    np.testing.assert_array_equal(run.y, run.layer.blobs[0].data[index])
    run.top[0].diff[...] = grad
    run.layer.backward(run.top, [False], run.bottom)
    np.testing.assert_array_equal(run.layer.blobs[0].diff[:, 0], [1, 0, 0, 0, 3])
    np.testing.assert_array_equal(run.layer.blobs[1].diff, [4, 4, 4])


def test_embed_indices_are_cut_toward_zero():
    run = run_layer(EMBED, [[2.9, -0.5]])
    np.testing.assert_array_equal(run.y, run.layer.blobs[0].data[[2, 0]])


def test_reindex_gradient():
    check_gradient(REINDEX, [X, [2, 0, 2, 2, 1]], only=[0])


@pytest.mark.parametrize("kind", [EMBED, REINDEX])
@pytest.mark.parametrize("bad", [-1, 5, np.nan, np.inf])
def test_index_out_of_range(kind, bad):
    index = [0, 1, bad]
    run = build_layer(kind, [index] if kind == EMBED else [np.zeros((5, 1)), index])
    with pytest.raises(LabelError, match=rf"the index at \(2,\) is {bad:g}, but must be an integer from 0 to 4"):
        run.layer.forward(run.bottom, run.top)


def test_filter_keeps_what_is_not_0():
    run = build_layer(FILTER, [X, X[:, 0], [[-1], [0], [0.5], [0]]], tops=2)
    assert [blob.shape for blob in run.top] == [(4, 3, 2), (4, 2)]  # until the first forward
    run.layer.forward(run.bottom, run.top)
    np.testing.assert_array_equal(run.top[0].data, X[[0, 2]].astype(np.float32))
    np.testing.assert_array_equal(run.top[1].data, X[[0, 2], 0].astype(np.float32))
    run.top[0].diff[...] = 1
    run.layer.backward(run.top, [True, False, False], run.bottom)
    np.testing.assert_array_equal(run.bottom[0].diff[:, 0, 0], [1, 0, 1, 0])
    assert not run.bottom[1].diff.any()


def test_filter_grows_again():
    run = build_layer(FILTER, [X, [0, 0, 1, 0]])
    run.layer.forward(run.bottom, run.top)
    assert run.y.shape == (1, 3, 2)
    run.bottom[1].data[...] = 1
    run.layer.reshape(run.bottom, run.top)
    run.layer.forward(run.bottom, run.top)
    np.testing.assert_array_equal(run.y, X.astype(np.float32))


def test_filter_that_selects_nothing():
    run = build_layer(FILTER, [X, np.zeros(4)])
    run.layer.forward(run.bottom, run.top)
    assert run.y.shape == (0, 3, 2)
    run.bottom[0].diff[...] = 9
    run.layer.backward(run.top, [True, False], run.bottom)
    assert not run.bottom[0].diff.any()


@pytest.mark.parametrize(("kind", "bottoms", "tops", "error", "words"), [
    (FILTER, [X, np.ones((4, 2))], 1, ShapeError, "selector"),
    (FILTER, [X, np.ones(())], 1, ShapeError, "selector"),
    (FILTER, [X, np.ones(3)], 1, ShapeError, "same first"),
    (FILTER, [X, X, np.ones(4)], 1, LayerError, "a top for each bottom"),
    (REINDEX, [X, np.ones((2, 1))], 1, ShapeError, "indices"),
    (REINDEX, [1.0, [0]], 1, ShapeError, "items"),
    ("type: 'Embed' embed_param { input_dim: 2 }", [[0]], 1, LayerError, "num_output"),
    ("type: 'Embed' embed_param { num_output: 2 }", [[0]], 1, LayerError, "input_dim"),
])
def test_what_does_not_fit(kind, bottoms, tops, error, words):
    with pytest.raises(error, match=words):
        build_layer(kind, bottoms, tops=tops)


@pytest.mark.parametrize(("kind", "bottoms"), [
    (EMBED, [[0, 1]]), (REINDEX, [X, [0, 1]]), (FILTER, [X, [0, 1, 1, 0]]),
])
def test_what_chooses_has_no_gradient(kind, bottoms):
    run = run_layer(kind, bottoms)
    with pytest.raises(LayerError, match="gradient of its"):
        run.layer.backward(run.top, [i == len(bottoms) - 1 for i in range(len(bottoms))], run.bottom)
