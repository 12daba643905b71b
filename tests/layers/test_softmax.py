"""Softmax along any axis."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import check_gradient, run_layer

from caffe_fcn import errors

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5))


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -4])
def test_sums_to_one_along_its_axis(axis):
    layer = f"type: 'Softmax' softmax_param {{ axis: {axis} }}"
    y = run_layer(layer, [X]).y
    np.testing.assert_allclose(y.sum(axis), 1, rtol=1e-6)
    np.testing.assert_allclose(y, np.exp(X) / np.exp(X).sum(axis, keepdims=True), rtol=1e-5)
    check_gradient(layer, [X])
    check_gradient(layer, [X], in_place=True)


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0), (2, 3, 0)])
def test_nothing_gives_nothing(shape):
    assert run_layer("type: 'Softmax'", [np.zeros(shape)], top_diffs=[0]).y.shape == shape


def test_refuses_an_axis_that_is_not_there():
    with pytest.raises(errors.ShapeError, match="axis 4 is out of range"):
        run_layer("type: 'Softmax' softmax_param { axis: 4 }", [X])
