"""Matching edge pixels, against a dense assignment and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from caffe_fcn.errors import BlobMemoryError
from caffe_fcn.evaluation.matching import _assign, _near, match


def pixels(*places, shape=(9, 12)):
    edges = np.zeros(shape, bool)
    for row, column in places:
        edges[row, column] = True
    return edges


@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 2.3, 4.34])
@pytest.mark.parametrize("density", [0.05, 0.3, 0.6])
def test_as_many_as_possible_at_the_least_cost(tolerance, density):
    rng = np.random.default_rng(int(100 * density + 10 * tolerance))
    for _ in range(8):
        predicted, truth = rng.random((2, 11, 13)) < density * rng.uniform(0.3, 1, (2, 1, 1))
        first, second = np.argwhere(predicted), np.argwhere(truth)
        distance = np.hypot(*(first[:, None] - second).transpose(2, 0, 1))
        costs = np.where(distance <= tolerance, distance, 1e6)
        i, j = linear_sum_assignment(costs)
        best = costs[i, j][costs[i, j] < 1e6]
        near = _near(first, second, predicted.shape, tolerance)
        rows, columns = _assign(*near, len(first), len(second))
        assert len(rows) == len(set(rows)) == len(set(columns)) == len(best)
        np.testing.assert_allclose(distance[rows, columns].sum(), best.sum(), atol=1e-9)
        ours, theirs = match(predicted, truth, tolerance)
        assert ours.sum() == theirs.sum() == len(best)
        assert not (ours & ~predicted).any() and not (theirs & ~truth).any()


def test_a_pixel_has_one_partner():
    ours, theirs = match(pixels((2, 2), (2, 3), (2, 4)), pixels((2, 3)), 2)
    assert np.argwhere(ours).tolist() == [[2, 3]] and np.argwhere(theirs).tolist() == [[2, 3]]


def test_many_pairs_come_before_short_ones():
    """The left one could have a partner at distance 0, but then the right one would have none."""
    ours, theirs = match(pixels((0, 4), (0, 6)), pixels((0, 2), (0, 4)), 2)
    assert ours.sum() == theirs.sum() == 2


@pytest.mark.parametrize(("tolerance", "found"), [(5, 1), (4.999, 0), (1e9, 1)])
def test_the_tolerance_is_included(tolerance, found):
    assert match(pixels((1, 1)), pixels((4, 5)), tolerance)[0].sum() == found


def test_thousands_of_pixels_that_compete():
    """Parallel lines, shifted, with gaps: every pixel has several partners to choose from."""
    rows, columns = np.indices((150, 200))
    truth = (rows + columns // 3) % 7 == 0
    predicted = np.roll(truth, 2, axis=0) & ((rows * 31 + columns * 17) % 41 > 0)
    ours, theirs = match(predicted, truth, 4.5)
    assert ours.sum() == theirs.sum() == predicted.sum() < truth.sum()


def test_nothing_to_match():
    for predicted, truth in ((pixels(), pixels()), (pixels((0, 0)), pixels()), (pixels(), pixels((8, 11)))):
        ours, theirs = match(predicted, truth, 3)
        assert not ours.any() and not theirs.any()


def test_a_tolerance_that_there_is_no_room_for(monkeypatch):
    monkeypatch.setattr("caffe_fcn.memory.available_bytes", lambda: 2**28)
    with pytest.raises(BlobMemoryError, match=r"matching 10000 pixels up to 100 pixels apart needs 12\.0 GiB"):
        match(np.ones((100, 100), bool), np.ones((100, 100), bool), 1000)


def test_another_size_is_refused():
    with pytest.raises(ValueError, match=r"need one shape .* got \(9, 12\) and \(9, 11\)"):
        match(pixels(), pixels(shape=(9, 11)), 1)
