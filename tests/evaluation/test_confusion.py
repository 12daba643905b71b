"""Scores of segmentations against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, jaccard_score, recall_score

from caffe_fcn.evaluation.confusion import Scores, confusion


def test_confusion():
    truth, predicted = np.array([[0, 0, 1], [1, 2, 255]], np.uint8), np.array([[0, 1, 1], [1, 0, 2]])
    assert confusion(truth, predicted, 3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert confusion(np.array([-1, 255]), np.array([9, 9]), 2).tolist() == [[0, 0], [0, 0]]


def test_scores():
    scores = Scores(np.array([[6, 2, 0, 0], [1, 9, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]))
    assert scores.pixel_accuracy == 15 / 20
    np.testing.assert_allclose(scores.accuracy, [6 / 8, 9 / 10, 0, np.nan])
    np.testing.assert_allclose(scores.iu, [6 / 9, 9 / 14, 0, np.nan])
    assert scores.mean_accuracy == pytest.approx((6 / 8 + 9 / 10) / 3)
    assert scores.mean_iu == pytest.approx((6 / 9 + 9 / 14) / 3)
    assert scores.frequency_weighted_iu == pytest.approx((8 * 6 / 9 + 10 * 9 / 14) / 20)


def test_nothing_to_score():
    scores = Scores(np.zeros((2, 2), int))
    assert np.isnan([scores.pixel_accuracy, scores.mean_accuracy, scores.mean_iu]).all()


@pytest.mark.parametrize(("truth", "predicted", "message"), [
    ([0, 1], [0], "need the same shape"), ([0, 1], [0, 2], "between 0 and 1, got 0 to 2"),
])
def test_refused(truth, predicted, message):
    with pytest.raises(ValueError, match=message):
        confusion(np.array(truth), np.array(predicted), 2)


def test_scikit_learn_agrees():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 6, (40, 50)), rng.integers(0, 6, (40, 50))
    predicted[truth == 2] = 2
    truth[:5] = 255
    t, p = truth[truth != 255], predicted[truth != 255]
    matrix = confusion(truth, predicted, 6)
    assert (matrix == confusion_matrix(t, p, labels=range(6))).all()
    scores = Scores(matrix)
    np.testing.assert_allclose(scores.accuracy, recall_score(t, p, average=None))
    np.testing.assert_allclose(scores.iu, jaccard_score(t, p, average=None))
    assert scores.pixel_accuracy == pytest.approx(accuracy_score(t, p))
    assert scores.mean_accuracy == pytest.approx(balanced_accuracy_score(t, p))
    assert scores.mean_iu == pytest.approx(jaccard_score(t, p, average="macro"))
    assert scores.frequency_weighted_iu == pytest.approx(jaccard_score(t, p, average="weighted"))
