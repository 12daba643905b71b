"""ODS, OIS, AP, worked out by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_score, recall_score

from caffe_fcn.evaluation.edges import Curve, Edges, best_of_each, f_measure


def test_without_tolerance_it_is_precision_and_recall():
    rng = np.random.default_rng(0)
    strength, truth = rng.random((20, 30)), rng.random((20, 30)) < 0.3
    rules = Edges(thresholds=7, tolerance=0, thinning=False)
    curve = Curve(rules.levels, rules.count(strength, truth[None]))
    np.testing.assert_allclose(rules.levels, np.arange(1, 8) / 8)
    for level, precision, recall in zip(curve.levels, curve.precision, curve.recall, strict=True):
        predicted = (strength >= level).ravel()
        assert precision == pytest.approx(precision_score(truth.ravel(), predicted))
        assert recall == pytest.approx(recall_score(truth.ravel(), predicted))


def test_several_people():
    """Precision asks whether anybody drew it, recall for what all of them drew."""
    people = np.zeros((3, 40, 30), bool)  # tolerance: 0.04 of 50 is 2 pixels
    people[0, 10, 5:25] = people[1, 12, 5:25] = people[1, 30, 5:15] = True
    strength = np.zeros((40, 30))
    strength[11, 5:25], strength[20, 5:25] = 0.6, 0.3
    counts = Edges(thresholds=3, tolerance=0.04, thinning=False).count(strength, people)
    assert counts.tolist() == [[40, 50, 20, 40], [40, 50, 20, 20], [0, 50, 0, 0]]


def test_thinning_and_maxima():
    truth = np.zeros((1, 40, 60), bool)
    truth[0, 20] = True
    strength = np.exp(-((np.arange(40)[:, None] - 20) / 3.0) ** 2) * np.ones(60)
    plain = Edges(thresholds=1, thinning=False).count(strength, truth)[0]
    thinned = Edges(thresholds=1).count(strength, truth)[0]
    maxima = Edges(thresholds=1, thinning=False, maxima=True).count(strength, truth)[0]
    assert plain.tolist() == [60, 60, 60, 300]
    assert thinned[3] in range(54, 61) and thinned[2] == thinned[3] and maxima[2] == maxima[3]
    assert maxima[3] == 60 - 2 * 3  # at both ends the strength fades below 0.5


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="need the same size"):
        Edges().count(np.zeros((3, 4)), np.zeros((1, 4, 3), bool))


FIRST = np.array([[90, 100, 45, 150], [60, 100, 60, 75], [20, 100, 20, 20]])
SECOND = np.array([[80, 100, 90, 100], [40, 100, 50, 50], [0, 100, 0, 0]])
LEVELS = np.array([0.25, 0.5, 0.75])


def test_best_of_each():
    """The first is best at the second threshold (F 0.686 over 0.45, 0.33), the second at the first."""
    point = best_of_each([Curve(LEVELS, FIRST), Curve(LEVELS, SECOND)])
    recall, precision = (60 + 80) / 200, (60 + 90) / (75 + 100)
    assert (point.recall, point.precision) == (recall, precision)
    assert point.f == pytest.approx(2 * recall * precision / (recall + precision)) and np.isnan(point.threshold)


def test_best_for_all_lies_between_thresholds():
    curve = Curve(LEVELS, np.array([[90, 100, 30, 100], [50, 100, 80, 100], [0, 100, 0, 0]]))
    share = np.arange(101) / 100  # of the way from (0.9, 0.3) to (0.5, 0.8)
    values = f_measure(0.3 + 0.5 * share, 0.9 - 0.4 * share)
    assert curve.best.f == pytest.approx(values.max()) and curve.best.f > f_measure(curve.precision, curve.recall).max()
    assert curve.best.threshold == pytest.approx(0.25 + 0.25 * share[values.argmax()])
    assert f_measure(np.array([0.0, 1.0]), np.array([0.0, 1.0])).tolist() == [0, 1]


def test_average_precision():
    """Precision 1 up to a recall of 0.5 (but from 0.25 on), then falling to 0.5 at a recall of 0.75."""
    curve = Curve(LEVELS, np.array([[75, 100, 50, 100], [50, 100, 50, 50], [25, 100, 25, 25]]))
    falling = np.arange(51, 76) / 100
    assert curve.average_precision == pytest.approx(0.01 * (26 + np.sum(1 - 2 * (falling - 0.5))))


def test_of_equal_recalls_the_best_precision_counts():
    curve = Curve(LEVELS, np.array([[50, 100, 10, 100], [50, 100, 90, 100], [0, 100, 100, 100]]))
    assert curve.average_precision == pytest.approx(0.01 * np.sum(np.linspace(1, 0.9, 51)))


def test_nothing_drawn_nothing_predicted():
    curve = Curve(LEVELS, np.zeros((3, 4), int))
    assert curve.best.f == 0 and curve.average_precision == 0 and best_of_each([curve]).f == 0
