"""MVN: what is normalised together, its gradient, its four axes."""

import numpy as np
import pytest

from caffe_fcn.errors import ShapeError
from tests.layers.helpers import build_layer, check_gradient, run_layer

RANDOM = np.random.default_rng(6)
X = RANDOM.normal(2, 3, size=(2, 3, 4, 5))


@pytest.mark.parametrize(("fields", "axes", "eps"), [
    ("", (2, 3), 1e-9), ("across_channels: true", (1, 2, 3), 1e-9), ("eps: 0.5", (2, 3), 0.5),
])
def test_mean_and_deviation(fields, axes, eps):
    want = (X - X.mean(axes, keepdims=True)) / (X.std(axes, keepdims=True) + eps)
    run = run_layer(f"type: 'MVN' mvn_param {{ {fields} }}", [X])
    np.testing.assert_allclose(run.y, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fields", ["", "across_channels: true", "normalize_variance: false"])
def test_gradient(fields):
    check_gradient(f"type: 'MVN' mvn_param {{ {fields} }}", [X])
    check_gradient(f"type: 'MVN' mvn_param {{ {fields} }}", [X], in_place=True)


@pytest.mark.parametrize(("shape", "top"), [((2, 5), (2, 5, 1, 1)), ((3, 4, 5), (3, 4, 5, 1)), ((), (1, 1, 1, 1))])
def test_top_always_has_four_axes(shape, top):
    assert build_layer("type: 'MVN'", [np.zeros(shape)]).top[0].shape == top


def test_five_axes():
    with pytest.raises(ShapeError, match="at most 4 axes"):
        build_layer("type: 'MVN'", [np.zeros((1, 1, 1, 1, 1))])
