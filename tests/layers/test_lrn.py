"""LRN: gradients, in place, errors (its numbers are in the recordings)."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import check_gradient, run_layer

from caffe_fcn import errors


def lrn(fields):
    return f"type: 'LRN' lrn_param {{ {fields} }}"


X = np.random.default_rng(0).normal(size=(2, 5, 4, 6))


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_gradient(region, size):
    check_gradient(lrn(f"norm_region: {region} local_size: {size} alpha: 0.7 beta: 0.6"), [X])


def test_k_is_ignored_within_a_channel():
    fields = "norm_region: WITHIN_CHANNEL local_size: 3"
    assert (run_layer(lrn(fields), [X]).y == run_layer(lrn(f"{fields} k: 4"), [X]).y).all()


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
def test_in_place_forward_is_right_and_backward_refused(region):
    text = lrn(f"norm_region: {region} alpha: 0.5")
    assert (run_layer(text, [X], in_place=True).y == run_layer(text, [X]).y).all()
    with pytest.raises(errors.LayerError, match="no backward pass in place"):
        run_layer(text, [X], in_place=True, top_diffs=[1])


def test_refuses_an_even_size():
    with pytest.raises(errors.LayerError, match="'local_size' must be odd, got 4"):
        run_layer(lrn("local_size: 4"), [X])


def test_refuses_other_than_four_axes():
    with pytest.raises(errors.ShapeError, match="4 axes"):
        run_layer(lrn(""), [X[0]])
