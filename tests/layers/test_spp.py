"""SPP: bins, gradients, reshaping, errors."""

import numpy as np
import pytest

from caffe_fcn.errors import LayerError, ShapeError
from tests.layers.helpers import build_layer, check_gradient, run_layer

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(2, 3, 8, 4))


def text(height, pool="MAX"):
    return f"type: 'SPP' spp_param {{ pyramid_height: {height} pool: {pool} }}"


@pytest.mark.parametrize(("pool", "reduce"), [("MAX", np.max), ("AVE", np.mean)])
def test_bins_of_each_level(pool, reduce):
    levels = [reduce(X.reshape(2, 3, n, 8 // n, n, 4 // n), axis=(3, 5)).reshape(2, -1) for n in (1, 2, 4)]
    np.testing.assert_allclose(run_layer(text(3, pool), [X]).y, np.concatenate(levels, 1), rtol=1e-5)


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize("height", [1, 2, 3])
def test_gradient(pool, height):
    check_gradient(text(height, pool), [RANDOM.normal(size=(2, 3, 9, 7))])


def test_one_level_keeps_four_axes():
    assert build_layer(text(1), [X]).top[0].shape == (2, 3, 1, 1)


def test_the_top_does_not_depend_on_the_size_of_the_bottom():
    run = run_layer(text(2), [X])
    run.bottom[0].reshape(1, 3, 11, 13)
    run.layer.reshape(run.bottom, run.top)
    run.layer.forward(run.bottom, run.top)
    assert run.y.shape == (1, 15)


def test_a_bottom_too_small_for_its_bins():
    with pytest.raises(ShapeError, match="too small for 4 x 4 bins"):
        build_layer(text(3), [np.zeros((1, 1, 5, 5))])


@pytest.mark.parametrize("height", [0, 17])
def test_pyramid_height_out_of_range(height):
    with pytest.raises(LayerError, match="pyramid_height"):
        build_layer(text(height), [X])


def test_needs_four_axes():
    with pytest.raises(ShapeError, match="4 axes"):
        build_layer(text(2), [X[0]])
