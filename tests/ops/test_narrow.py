"""Outputs and gradients of weights for few input channels, against the definition in float64."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn import ops
from caffe_fcn.ops.cpu import threads
from caffe_fcn.ops.cpu.conv import blocked, choose, narrow
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.convolution import Geometry

# shape of x, outputs, kernel, pad
CASES = [
    ((1, 3, 60, 80), 64, (3, 3), (100, 100)),  # as the first layer of an FCN
    ((2, 3, 60, 80), 17, (3, 3), (1, 1)),
    ((3, 1, 70, 33), 5, (4, 2), (2, 0)),
    ((1, 2, 64, 300), 40, (1, 1), (0, 0)),  # rows of several parts
    ((1, 1, 5, 1000), 33, (1, 3), (0, 9)),
    ((2, 3, 63, 129), 16, (3, 3), (0, 0)),
]


def make(shape, outputs, kernel, pad):
    """Geometry, x and the gradient of the output."""
    geometry = Geometry(kernel, (1, 1), pad, (1, 1))
    random = np.random.default_rng(len(kernel) + outputs)
    grad = (shape[0], outputs, *geometry.out_sizes(shape[2:]))
    return geometry, *(random.standard_normal(size, dtype=np.float32) for size in (shape, grad))


def gradient(operations, geometry, x, grad):
    """What is added to ones."""
    result = np.ones((grad.shape[1], x.shape[1], *geometry.kernel), x.dtype)
    operations.convolution_backward_weight(x, grad, result, geometry)
    return result


@pytest.mark.parametrize("case", CASES, ids=str)
def test_agrees_with_the_definition(case, monkeypatch):
    geometry, x, grad = make(*case)
    monkeypatch.setattr(narrow, "PIXELS", 1)
    assert choose(x.shape, grad.shape, geometry, x.dtype) is narrow
    want = gradient(ReferenceOps(), geometry, x.astype(np.float64), grad.astype(np.float64))
    got = gradient(ops.cpu_ops(), geometry, x, grad)
    assert np.abs(got - want).max() <= 1e-6 * np.abs(want).max()
    monkeypatch.setattr(threads, "count", lambda: 3)
    assert gradient(ops.cpu_ops(), geometry, x, grad).tobytes() == got.tobytes()


def test_a_value_that_is_no_number_reaches_the_weights_that_see_it():
    geometry, x, grad = make(*CASES[1])
    grad[1, 4, 0, 0] = np.inf
    got = gradient(ops.cpu_ops(), geometry, x, grad)
    assert not np.isfinite(got[4]).any()  # infinity, and NaN from the padding
    assert np.isnan(got[4, 0, 0, 0]) and np.isfinite(np.delete(got, 4, axis=0)).all()


def test_where_it_is_taken():
    shape, out = (1, 3, 100, 100), (1, 64, 100, 100)
    plain = Geometry((3, 3), (1, 1), (1, 1), (1, 1))
    assert choose(shape, out, plain, np.float32) is narrow
    assert choose(shape, out, plain, np.float64) is blocked
    assert choose(shape, out, plain._replace(plain=True), np.float32) is blocked
    assert choose(shape, (1, 64, 50, 50), plain._replace(stride=(2, 2)), np.float32) is blocked
    assert choose((1, 3, 20, 20), (1, 64, 20, 20), plain, np.float32) is blocked


def test_a_bias_has_the_bits_of_the_reference_for_any_number_of_threads(monkeypatch):
    grad = np.random.default_rng(0).standard_normal((2, 33, 90, 97), dtype=np.float32)
    want, got = np.ones((2, 33), np.float32)
    ReferenceOps().bias_gradient(grad, want)
    monkeypatch.setattr(threads, "count", lambda: 3)
    ops.cpu_ops().bias_gradient(grad, got)
    assert got.tobytes() == want.tobytes()


@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_outputs_agree_with_the_definition(case, with_bias, monkeypatch):
    geometry, x, out = make(*case)
    monkeypatch.setattr(narrow, "PIXELS", 1)
    random = np.random.default_rng(5)
    weight = random.standard_normal((out.shape[1], x.shape[1], *geometry.kernel), dtype=np.float32)
    bias = random.standard_normal(out.shape[1], dtype=np.float32) if with_bias else None
    want = np.zeros(out.shape)
    ReferenceOps().convolution(x.astype(np.float64), weight.astype(np.float64),
                               None if bias is None else bias.astype(np.float64), want, geometry)
    ops.cpu_ops().convolution(x, weight, bias, out, geometry)
    assert np.abs(out - want).max() <= 1e-6 * np.abs(want).max()
    monkeypatch.setattr(threads, "count", lambda: 3)
    joined = np.full_like(out, 9)
    ops.cpu_ops().convolution_relu(x, weight, bias, joined, geometry)
    assert joined.tobytes() == np.maximum(out, 0).tobytes()


def test_what_is_no_number_stays_in_its_windows():
    geometry, x, out = make(*CASES[0])
    x[0, 1, 30, 40] = np.nan
    ops.cpu_ops().convolution_relu(x, np.ones((64, 3, 3, 3), np.float32), None, out, geometry)
    rows, columns = (sorted(set(axis)) for axis in np.where(np.isnan(out[0, 63])))
    assert (rows, columns) == ([128, 129, 130], [138, 139, 140])
