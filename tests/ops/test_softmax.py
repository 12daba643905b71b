"""Softmax and its loss: tiles against the whole, both against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn import ops
from caffe_fcn.ops.cpu import tiles
from caffe_fcn.ops.reference import ReferenceOps

SHAPES = {"spatial": (2, 5, 77), "one image": (1, 3, 100), "vectors": (50, 7, 1), "one class": (4, 1, 3),
          "last axis": (3, 4, 1), "empty batch": (0, 3, 4), "no pixels": (2, 3, 0)}
FAST, REFERENCE = ops.cpu_ops(), ReferenceOps()


def make(name, dtype):
    random = np.random.default_rng(len(name))
    x = random.normal(0, 3, SHAPES[name]).astype(dtype)
    labels = random.integers(-1, x.shape[1], (x.shape[0], x.shape[2]))
    return x, labels, random.normal(size=x.shape).astype(dtype)


def passes(operations, name, dtype):
    x, labels, grad = make(name, dtype)
    results = {key: np.full_like(x, 7) for key in ("softmax", "back", "loss back")}
    operations.softmax(x, results["softmax"])
    operations.softmax_backward(results["softmax"], grad, results["back"])
    operations.softmax_loss_backward(x, labels, 0.25, results["loss back"])
    return {"loss": np.array(operations.softmax_loss(x, labels)), **results}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SHAPES)
def test_tiles_agree_with_the_whole(monkeypatch, name, dtype):
    want = passes(REFERENCE, name, dtype)
    monkeypatch.setattr(tiles.tiles, "__defaults__", (30,))  # many tiles, the last one smaller
    got, again = passes(FAST, name, dtype), passes(FAST, name, dtype)
    for key, value in want.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-6, atol=1e-7, err_msg=key)
        assert got[key].tobytes() == again[key].tobytes(), f"{key} differs between two runs"


@pytest.mark.parametrize("name", ["spatial", "vectors", "one class"])
def test_reference_is_the_definition(name):
    x, labels, grad = make(name, np.float64)
    got = passes(REFERENCE, name, np.float64)
    odds = np.exp(x)
    p = odds / odds.sum(1, keepdims=True)
    hot = np.arange(x.shape[1])[:, None] == labels[:, None]
    np.testing.assert_allclose(got["softmax"], p)
    np.testing.assert_allclose(got["loss"], -np.log(p[hot]).sum())
    np.testing.assert_allclose(got["loss back"], 0.25 * (p - hot) * (labels >= 0)[:, None], atol=1e-15)
    np.testing.assert_allclose(got["back"], p * (grad - (p * grad).sum(1, keepdims=True)), atol=1e-15)


def test_large_scores_do_not_overflow_and_the_loss_of_one_prediction_is_bounded():
    x = np.array([[1e4, -1e4]], np.float32)[..., None]
    out = np.empty_like(x)
    FAST.softmax(x, out)
    assert out.ravel().tolist() == [1, 0]
    assert FAST.softmax_loss(x, np.array([[1]])) == pytest.approx(87.336544)
    assert FAST.softmax_loss(x, np.array([[0]])) == 0


def test_nan_stays_visible():
    x = np.array([[0, np.nan]], np.float32)[..., None]
    assert np.isnan(FAST.softmax_loss(x, np.array([[0]])))


def test_the_loss_of_many_pixels_is_summed_exactly():
    x = np.zeros((1, 11, 300_000), np.float32)
    loss = FAST.softmax_loss(x, np.zeros((1, 300_000), np.int64))
    assert loss / 300_000 == pytest.approx(np.log(11), rel=1e-7)


@pytest.mark.parametrize("shape", [(1, 3, 50), (7, 3, 5), (40, 2, 1), (3, 100, 4), (2, 0, 3), (0, 2, 3)])
def test_tiles_cover_each_place_once(shape):
    seen = np.zeros((shape[0], shape[2]), int)
    for row, column in tiles.tiles(shape, 20):
        assert seen[row, column].size * shape[1] <= max(20, shape[1])
        seen[row, column] += 1
    assert (seen == 1).all()
