"""PCK by hand."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn.evaluation.pose import by_pairs, distances, pck, reference_size


@pytest.fixture
def truth():
    """A person whose torso, from right hip to left shoulder, is 50 long, whose head 10, whose box 80 x 90."""
    joints = np.zeros((14, 3))
    joints[:, 2] = 1
    joints[:, :2] = 40, 45
    joints[2, :2], joints[9, :2] = (30, 60), (60, 20)  # 3, 4, 5
    joints[12, :2], joints[13, :2] = (45, 10), (45, 0)
    joints[0, :2], joints[6, :2] = (0, 90), (80, 45)
    return joints


@pytest.mark.parametrize(("reference", "size"), [("torso", 50), ("head", 10), ("box", 90)])
def test_references(truth, reference, size):
    assert reference_size(truth, reference) == size


def test_how_far_off(truth):
    predicted = truth[:, :2].copy()
    predicted[4] += 3, 4
    predicted[5] = np.nan
    truth[7, 2] = 0
    off = distances(predicted, truth)
    assert off[4] == pytest.approx(0.1) and np.isinf(off[5]) and np.isnan(off[7])
    assert (np.delete(off, [4, 5, 7]) == 0).all()
    assert distances(predicted, truth, "head")[4] == pytest.approx(0.5)


@pytest.mark.parametrize(("change", "reference"), [((9, 2, 0), "torso"), ((13, 2, 0), "head"), ((13, 1, 10), "head")])
def test_without_a_reference_nothing_is_rated(truth, change, reference):
    joint, part, value = change
    truth[joint, part] = value  # not known; or the head has no length
    assert np.isnan(distances(truth[:, :2], truth, reference)).all()


def test_nobody_known_has_no_box():
    assert np.isnan(reference_size(np.zeros((14, 3)), "box"))


def test_shares(truth):
    off = np.array([[0.2, 0.21, np.inf, np.nan], [0.1, 0.3, 0, np.nan], [np.nan, 0.2, 0.4, np.nan]])
    np.testing.assert_allclose(pck(off, 0.2), [1, 1 / 3, 1 / 3, np.nan])
    np.testing.assert_allclose(pck(off, 0.3), [1, 1, 1 / 3, np.nan])


def test_left_and_right_are_one_row():
    shares = np.arange(14) / 10
    shares[13] = np.nan
    table = by_pairs(shares)
    expected = {"neck": 1.2, "shoulder": 0.85, "elbow": 0.85, "wrist": 0.85, "hip": 0.25, "knee": 0.25, "ankle": 0.25}
    assert {key: table[key] for key in expected} == pytest.approx(expected)
    assert np.isnan(table["head top"]) and table["mean"] == pytest.approx(np.arange(13).mean() / 10)
