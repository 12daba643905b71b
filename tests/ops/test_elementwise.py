"""The CPU's element-wise operations against the reference."""

import numpy as np
import pytest

from caffe_fcn import mode, ops
from caffe_fcn.ops.reference import ReferenceOps

RNG = np.random.default_rng(4)
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("slope", [0, 0.1, -0.5])
@pytest.mark.parametrize("shape", [(), (0, 3), (7,), (2, 3, 5, 7), (3, 70_001)])
def test_relu(shape, slope, dtype):
    x = RNG.normal(size=shape).astype(dtype)
    if x.size == 7:
        x[:6] = SPECIAL
    grad = RNG.normal(size=shape).astype(dtype)
    expected, actual, expected_grad, actual_grad = (np.full(shape, 9, dtype) for _ in range(4))
    ReferenceOps().relu(x, expected, slope)
    ops.cpu_ops().relu(x, actual, slope)
    ReferenceOps().relu_backward(x, grad, expected_grad, slope)
    ops.cpu_ops().relu_backward(x, grad, actual_grad, slope)
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(actual_grad, expected_grad)
    in_place = x.copy()
    ops.cpu_ops().relu(in_place, in_place, slope)
    np.testing.assert_array_equal(in_place, expected)


def test_random_mask_has_the_ratio_and_follows_the_seed():
    mode.set_random_seed(7)
    mask = ops.current().random_mask((100, 200), 0.3)
    assert (mask.shape, mask.dtype) == ((100, 200), bool)
    assert abs((~mask).mean() - 0.3) < 0.01
    mode.set_random_seed(7)
    assert np.array_equal(mask, ops.current().random_mask((100, 200), 0.3))
    assert ops.current().random_mask((50,), 0).all()
    assert not ops.current().random_mask((50,), 1).any()
