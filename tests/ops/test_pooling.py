"""The compiled poolings against the reference, and the reference against the definition."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from caffe_fcn import ops
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.pooling import LOWEST, Window

# name: (shape of x, sizes of out, kernel, stride, pad)
CASES = {
    "2x2": ((2, 3, 8, 6), (4, 3), (2, 2), (2, 2), (0, 0)),
    "last window cut": ((1, 2, 7, 6), (4, 3), (3, 2), (2, 2), (0, 0)),
    "overlap and pad": ((2, 2, 7, 9), (5, 5), (3, 5), (2, 2), (2, 1)),
    "pad at both ends": ((1, 2, 5, 5), (4, 7), (4, 3), (2, 1), (3, 2)),
    "stride over kernel": ((1, 2, 9, 11), (3, 3), (2, 1), (3, 5), (0, 0)),
    "window outside": ((1, 2, 5, 8), (3, 4), (1, 1), (3, 3), (0, 0)),
    "kernel over input": ((2, 1, 2, 3), (1, 1), (4, 5), (3, 3), (0, 0)),
    "whole plane": ((3, 2, 5, 4), (1, 1), (5, 4), (1, 1), (0, 0)),
    "many planes": ((2, 40, 30, 31), (15, 16), (2, 2), (2, 2), (0, 0)),
    "empty batch": ((0, 2, 4, 4), (2, 2), (2, 2), (2, 2), (0, 0)),
    "empty output": ((1, 2, 2, 2), (0, 0), (3, 3), (1, 1), (0, 0)),
}
FAST, REFERENCE = ops.cpu_ops(), ReferenceOps()


def make(name, dtype=np.float64):
    shape, sizes, *window = CASES[name]
    random = np.random.default_rng(len(name))
    x = random.integers(-3, 4, shape).astype(dtype)  # small integers: many ties, exact sums
    return x, random.integers(-3, 4, (*shape[:2], *sizes)).astype(dtype), Window(*window)


def passes(operations, name, dtype):
    """All that an implementation computes, written over garbage."""
    x, grad, window = make(name, dtype)
    results = {key: np.full(array.shape, 7, dtype) for key, array in (
        ("max", grad), ("mask", grad), ("max back", x), ("mask back", x), ("ave", grad), ("ave back", x))}
    operations.max_pool(x, results["max"], window)
    operations.max_pool_mask(x, results["mask"], window)
    operations.max_pool_backward(x, None, grad, results["max back"], window)
    operations.max_pool_backward(x, results["mask"], grad, results["mask back"], window)
    operations.ave_pool(x, results["ave"], window)
    operations.ave_pool_backward(grad, results["ave back"], window)
    return results


def windows(name):
    """(n, c, oh, ow), (h, w) pairs of each window within x, area."""
    (*planes, height, width), sizes, (kh, kw), (down, right), (ph, pw) = CASES[name]
    for n, c, oh, ow in itertools.product(*map(range, (*planes, *sizes))):
        top, left = oh * down - ph, ow * right - pw
        area = (min(top + kh, height + ph) - top) * (min(left + kw, width + pw) - left)
        yield (n, c, oh, ow), [(h, w) for h in range(max(top, 0), min(top + kh, height))
                               for w in range(max(left, 0), min(left + kw, width))], area


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_cpu_agrees_with_reference(name, dtype):
    want, got, again = (passes(which, name, dtype) for which in (REFERENCE, FAST, FAST))
    for key, value in want.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-6, atol=1e-6, err_msg=key)
        assert got[key].tobytes() == again[key].tobytes(), f"{key} differs between two runs"
    assert want["max back"].tobytes() == want["mask back"].tobytes()


@pytest.mark.parametrize("name", CASES)
def test_reference_is_the_definition(name):
    x, grad, _ = make(name)
    got = passes(REFERENCE, name, np.float64)
    back, spread = np.zeros_like(x), np.zeros_like(x)
    for place, inside, area in windows(name):
        plane = x[place[:2]]
        best = max(inside, key=lambda hw, plane=plane: plane[hw], default=None)  # the first of equals
        assert got["max"][place] == (plane[best] if best else LOWEST)
        assert got["mask"][place] == (best[0] * x.shape[3] + best[1] if best else -1)
        if best:
            back[place[:2] + best] += grad[place]
        mean = np.float64(sum(plane[hw] for hw in inside)) / area if area else np.nan
        np.testing.assert_allclose(got["ave"][place], mean, rtol=1e-12)
        for hw in inside:
            spread[place[:2] + hw] += grad[place] / area
    np.testing.assert_allclose(got["max back"], back)
    np.testing.assert_allclose(got["ave back"], spread, atol=1e-12)


@pytest.mark.parametrize("operations", [REFERENCE, FAST])
def test_nan_never_wins_and_minus_infinity_is_no_maximum(operations):
    x = np.array([[[[np.nan, 1, -np.inf, -np.inf, np.nan, np.nan]]]])
    out, mask = np.empty((1, 1, 1, 3)), np.empty((1, 1, 1, 3))
    window = Window((1, 2), (1, 2), (0, 0))
    operations.max_pool(x, out, window)
    operations.max_pool_mask(x, mask, window)
    assert out.ravel().tolist() == [1, LOWEST, LOWEST]
    assert mask.ravel().tolist() == [1, -1, -1]


@pytest.mark.parametrize("operations", [REFERENCE, FAST])
def test_a_mask_cannot_write_outside_its_plane(operations):
    grad_x = np.full((1, 2, 2, 2), 7.)
    mask = np.array([4., -1, 1e9, 3]).reshape(1, 2, 1, 2)
    operations.max_pool_backward(grad_x, mask, np.ones_like(mask), grad_x, Window((2, 1), (1, 1), (0, 0)))
    assert grad_x.ravel().tolist() == [0, 0, 0, 0, 0, 0, 0, 1]


def test_stochastic_draws_in_proportion():
    x = np.array([1, 3, 0, 4, 0, 0], np.float32).reshape(1, 1, 1, 6)
    window = Window((1, 4), (1, 4), (0, 0))
    out, mask = np.empty((1, 1, 1, 2), np.float32), np.empty((1, 1, 1, 2), np.int32)
    for chance, value, index in ((0.05, 1, 0), (0.124, 1, 0), (0.13, 3, 1), (0.49, 3, 1), (0.51, 4, 3), (0.99, 4, 3)):
        FAST.stochastic_pool(x, np.full(out.shape, chance, np.float32), out, mask, window)
        assert (out.ravel().tolist(), mask.ravel().tolist()) == ([value, 0], [index, 4])
    FAST.stochastic_pool_mean(x, out, window)
    assert out.ravel().tolist() == [(1 + 9 + 16) / 8, 0]


def test_stochastic_windows_cut_at_the_border_never_draw_outside():
    x = np.ones((2, 3, 5, 5), np.float32)
    window = Window((3, 3), (2, 2), (0, 0))
    out, mask = np.empty((2, 3, 3, 3), np.float32), np.empty((2, 3, 3, 3), np.int32)
    FAST.stochastic_pool(x, np.random.default_rng(0).random(out.shape, np.float32), out, mask, window)
    assert (out == 1).all()
    assert ((mask >= 0) & (mask < 25)).all()


def test_stride_one_and_the_same_size_gives_the_values_of_other_strides():
    from caffe_fcn.ops.cpu import _pooling_kernels as kernels

    for seed in range(60):
        random = np.random.default_rng(seed)
        kernel = tuple(int(size) for size in random.integers(1, 6, 2))
        pad = tuple(int(random.integers(0, size)) for size in kernel)
        x = random.integers(-3, 4, (4, *random.integers(1, 14, 2))).astype(np.float32)
        x[random.random(x.shape) < 0.05] = np.nan
        general, same = np.full_like(x, 7), np.full_like(x, 7)
        kernels.max_pool(0, 4, x, general, kernel, (1, 1), pad)
        kernels.max_pool_same(0, 4, x, same, kernel, pad)
        np.testing.assert_array_equal(same, general, err_msg=f"{seed=}")


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 3), (5, 8), (4, 4), (39, 70)])
def test_gradients_of_pairs_have_the_bits_of_the_general_kernel(size):
    from caffe_fcn.ops.cpu import _pooling_kernels as kernels

    random = np.random.default_rng(7)
    x = random.integers(-3, 4, (30, *size)).astype(np.float32)
    for value, share in ((np.nan, 0.2), (-np.inf, 0.3), (LOWEST, 0.3)):
        x[random.random(x.shape) < share] = value
    grad = random.integers(-2, 3, (30, -(-size[0] // 2), -(-size[1] // 2))).astype(np.float32)
    grad[grad == 0] = -0.0
    general, pairs = np.full_like(x, 7), np.full_like(x, 7)
    kernels.max_pool_backward(0, 30, x, grad, general, (2, 2), (2, 2), (0, 0))
    kernels.max_pool_backward_pairs(0, 30, x, grad, pairs)
    assert pairs.tobytes() == general.tobytes()
