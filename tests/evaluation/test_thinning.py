"""Edges one pixel wide."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from caffe_fcn.evaluation.thinning import suppress, thin

EIGHT = np.ones((3, 3))


def drawing(text):
    return np.array([[letter == "#" for letter in line] for line in text.split()])


@pytest.mark.parametrize(("thick", "thinned"), [
    ("....... .#####. .#####. .#####. .......", "....... ....... ..###.. ....... ......."),
    ("##### ##### #####", "..... .###. ....."),  # at the border
    (".##. .##. .##. .##.", ".... .#.. .#.. .#.."),
    ("#.. .#. ..#", "#.. .#. ..#"),
    ("#", "#"), ("...", "..."),
    ("##### #...# #...# #####", ".###. #...# #...# .###."),  # a hole stays one
])
def test_by_hand(thick, thinned):
    assert thin(drawing(thick)).tolist() == drawing(thinned).tolist()


def test_pieces_and_holes_stay():
    rng = np.random.default_rng(3)
    for _ in range(10):
        thick = ndimage.gaussian_filter(rng.standard_normal((40, 50)), rng.uniform(0.5, 3)) > 0
        thinned = thin(thick)
        assert not (thinned & ~thick).any() and thinned.sum() < thick.sum()
        assert ndimage.label(thinned, EIGHT)[1] == ndimage.label(thick, EIGHT)[1]
        assert ndimage.label(~np.pad(thinned, 1))[1] == ndimage.label(~np.pad(thick, 1))[1]
        assert (thin(thinned) == thinned).all()


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 120, 160])
def test_only_the_ridge_is_a_maximum(degrees):
    rows, columns = np.indices((61, 61)) - 30
    angle = np.deg2rad(degrees)
    off = rows * np.sin(angle) + columns * np.cos(angle)  # from a line through the centre
    kept = suppress(np.exp(-(off / 4) ** 2))[8:-8, 8:-8]
    off = off[8:-8, 8:-8]
    assert (np.abs(off[kept > 0.5]) <= 1).all()
    assert (kept[np.abs(off) <= 0.3] > 0.9).all()


def test_strength_fades_at_the_border():
    ridge = np.zeros((40, 41))
    ridge[:, 20] = 1
    kept = suppress(ridge)[:, 20]
    np.testing.assert_allclose(kept[:7] / kept[20], [0, 0.2, 0.4, 0.6, 0.8, 1, 1])
    np.testing.assert_allclose(kept, kept[::-1])
    np.testing.assert_allclose(suppress(ridge, border=1)[1:-1, 20], 0.5)  # smoothed with 1, 2, 1
