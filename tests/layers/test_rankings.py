"""Accuracy and ArgMax: ties, top_k, axes, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import run_layer

from caffe_fcn import errors

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.normal(size=(2, 5, 3, 4))
LABELS = RANDOM.integers(0, 5, (2, 3, 4)).astype(float)


def accuracy(fields=""):
    return f"type: 'Accuracy' accuracy_param {{ {fields} }}"


def arg_max(fields=""):
    return f"type: 'ArgMax' argmax_param {{ {fields} }}"


@pytest.mark.parametrize("top_k", [1, 2, 5])
def test_accuracy(top_k):
    run = run_layer(accuracy(f"top_k: {top_k}"), [SCORES, LABELS], tops=2)
    best = np.argsort(-SCORES, axis=1)[:, :top_k]
    right = (best == LABELS[:, None]).any(axis=1)
    assert float(run.y) == pytest.approx(right.mean())
    np.testing.assert_allclose(run.top[1].data, [right[c == LABELS].mean() for c in range(5)], rtol=1e-6)


def test_accuracy_of_a_tie_is_wrong():
    for top_k, want in (1, 0), (2, 1):
        assert float(run_layer(accuracy(f"top_k: {top_k}"), [[[1, 1, 0]], [0]]).y) == want


def test_accuracy_leaves_out_ignored_labels():
    scores = np.array([[1., 0], [1, 0], [0, 1]])
    run = run_layer(accuracy("ignore_label: 1"), [scores, [0, 1, 0]], tops=2)
    assert float(run.y) == 0.5
    assert run.top[1].data.tolist() == [0.5, 0]
    assert float(run_layer(accuracy("ignore_label: 1"), [scores, [1, 1, 1]]).y) == 0


def test_accuracy_on_another_axis():
    run = run_layer(accuracy("axis: -1"), [np.moveaxis(SCORES, 1, -1), LABELS])
    assert float(run.y) == pytest.approx((SCORES.argmax(1) == LABELS).mean())


def test_accuracy_refuses():
    with pytest.raises(errors.LayerError, match="'top_k' must be at most the number of classes, 5, got 6"):
        run_layer(accuracy("top_k: 6"), [SCORES, LABELS])
    with pytest.raises(errors.ShapeError, match="need 24 labels"):
        run_layer(accuracy(), [SCORES, LABELS[:1]])
    with pytest.raises(errors.LabelError, match=r"label at \(0, 0, 0\) is 9, .*accuracy_param"):
        run_layer(accuracy(), [SCORES, LABELS + 9 * (np.arange(24) == 0).reshape(LABELS.shape) - LABELS])
    with pytest.raises(errors.LayerError, match="no backward pass"):
        run_layer(accuracy(), [SCORES, LABELS], top_diffs=[1])


@pytest.mark.parametrize(("fields", "shape", "want"), [
    ("", (4, 5), (4, 1, 1)),
    ("top_k: 3", (4, 5), (4, 1, 3)),
    ("out_max_val: true top_k: 3", (4, 5), (4, 2, 3)),
    ("", (2, 3, 4, 5), (2, 1, 1, 1)),
    ("top_k: 2", (2, 3, 4, 5, 2), (2, 1, 2, 1, 1)),
    ("axis: 1", (2, 3, 4, 5), (2, 1, 4, 5)),
    ("axis: -1 top_k: 2", (2, 3, 4, 5), (2, 3, 4, 2)),
    ("axis: 1 out_max_val: true top_k: 2", (2, 3, 4), (2, 2, 4)),
])
def test_arg_max_shape_and_values(fields, shape, want):
    x = RANDOM.permutation(np.prod(shape)).reshape(shape).astype(float)
    y = run_layer(arg_max(fields), [x]).y
    assert y.shape == want
    axis = {"axis: 1": 1, "axis: -1": -1}.get(" ".join(fields.split()[:2]))
    flat, around = (x.reshape(shape[0], -1), 1) if axis is None else (x, axis)
    top_k = int(fields.split("top_k: ")[1]) if "top_k" in fields else 1
    index = np.take(np.argsort(-flat, axis=around), range(top_k), around)
    best = np.take_along_axis(flat, index, around)
    if axis is None:
        expected = [index, best] if "out_max_val" in fields else [index]
        np.testing.assert_array_equal(y.reshape(shape[0], -1), np.concatenate(expected, 1))
    else:
        np.testing.assert_array_equal(y, best if "out_max_val" in fields else index)


@pytest.mark.parametrize(("top_k", "want"), [(1, [5]), (4, [5, 2, 1, 4])])
def test_arg_max_ties_take_the_larger_index_first(top_k, want):
    run = run_layer(arg_max(f"top_k: {top_k}"), [[[0, 1, 1, 0, 0.5, 1]]])
    assert run.y.ravel().tolist() == want


@pytest.mark.parametrize(("fields", "words"), [
    ("top_k: 0", "'top_k' must be at least 1 and at most 60, got 0"),
    ("top_k: 61", "at most 60, got 61"),
    ("axis: 2 top_k: 4", "at most 3, got 4"),
    ("axis: 4", "axis 4 is out of range"),
])
def test_arg_max_refuses(fields, words):
    with pytest.raises(errors.LayerError, match=words):
        run_layer(arg_max(fields), [SCORES])
