"""Errors of depths, by hand and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_percentage_error, mean_squared_error

from caffe_fcn.evaluation.depth import DepthErrors


def test_by_hand():
    truth, predicted = np.array([[2.0, 4.0, 1.0, 9.0]]), np.array([[2.2, 5.2, 2.0, 0.0]])
    scores = DepthErrors.of(predicted, truth, np.array([[True, True, True, False]])).scores
    assert scores["rel"] == pytest.approx((0.1 + 0.3 + 1) / 3)
    assert scores["log10"] == pytest.approx((np.log10(1.1) + np.log10(1.3) + np.log10(2)) / 3)
    assert scores["rmse"] == pytest.approx(np.sqrt((0.04 + 1.44 + 1) / 3))
    assert scores["rmse_log"] == pytest.approx(np.sqrt((np.log(1.1)**2 + np.log(1.3)**2 + np.log(2)**2) / 3))
    assert [scores[f"delta{k}"] for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 2 / 3])  # 1.25, 1.56, 1.95


def test_a_ratio_of_exactly_the_threshold_is_outside_both_ways():
    for predicted in (1.25, 0.8):
        assert DepthErrors.of(np.array([predicted]), np.array([1.0]), np.array([True])).scores["delta1"] == 0


def test_pictures_add_up_as_their_pixels():
    rng = np.random.default_rng(1)
    truth, predicted = rng.uniform(0.5, 10, (2, 30, 40))
    valid = rng.random(truth.shape) < 0.7
    whole = DepthErrors.of(predicted, truth, valid).scores
    halves = (DepthErrors.of(predicted[:9], truth[:9], valid[:9])
              + DepthErrors.of(predicted[9:], truth[9:], valid[9:])).scores
    assert halves == pytest.approx(whole)
    t, p = truth[valid], predicted[valid]
    assert whole["rel"] == pytest.approx(mean_absolute_percentage_error(t, p))
    assert whole["rmse"] == pytest.approx(mean_squared_error(t, p) ** 0.5)
    assert whole["rmse_log"] == pytest.approx(mean_squared_error(np.log(t), np.log(p)) ** 0.5)


def test_no_pixels():
    assert np.isnan(list(DepthErrors(0, np.zeros(7)).scores.values())).all()


@pytest.mark.parametrize("wrong", [0, -1, np.nan, np.inf])
def test_what_is_no_depth_is_refused(wrong):
    for pair in ((wrong, 1.0), (1.0, wrong)):
        with pytest.raises(ValueError, match="above 0 and finite"):
            DepthErrors.of(*(np.array([value]) for value in pair), np.array([True]))
