"""Products of matrices on the CPU against float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from caffe_fcn.ops.cpu import product, threads
from caffe_fcn.ops.cpu.product_kernels import DEPTH

SIZES = [(1, 1, 1), (8, 8, 8), (9, 17, 33), (64, 5, 40), (70, 100, 150), (31, 2 * DEPTH + 3, 65), (8, 16, 2100),
         (17, 20, 48), (16, 9, 16), (9, 12, 40)]


def operands(rows, inner, columns, turned, dtype=np.float32):
    """Random a (rows, inner) and b (inner, columns); `turned` says which of them are transposed views."""
    random = np.random.default_rng(rows)
    shapes = (rows, inner), (inner, columns)
    return [random.standard_normal(shape[::-1]).astype(dtype).T if turn else random.standard_normal(shape).astype(dtype)
            for shape, turn in zip(shapes, turned, strict=True)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("call", [product.multiply, product.share])
def test_all_layouts(call, size):
    for turned in itertools.product((False, True), repeat=2):
        a, b = operands(*size, turned)
        exact = a.astype(np.float64) @ b
        frame = np.full((size[0], size[2] + 6), 7, np.float32)
        out = frame[:, 3:-3]
        call(a, b, out)
        np.testing.assert_allclose(out, exact, rtol=0, atol=1e-6 * size[1])
        call(a, b, out, add=True)
        np.testing.assert_allclose(out, 2 * exact, rtol=0, atol=2e-6 * size[1])
        assert (frame[:, :3] == 7).all() and (frame[:, -3:] == 7).all()  # nothing beyond the edges


def test_other_types_and_strides():
    a, b = operands(20, 30, 40, (False, False), np.float64)
    out = np.empty((20, 40))
    product.share(a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-13)
    a, b = (np.repeat(np.repeat(array, 2, 0), 2, 1)[::2, ::2] for array in operands(20, 30, 40, (False, False)))
    out = np.empty((20, 40), np.float32)
    product.share(a, b, out)
    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-5)


def test_threads_do_not_change_a_bit(monkeypatch):
    a, b = operands(130, 150, 170, (False, True))
    results = []
    for count in (1, 3):
        monkeypatch.setattr(threads, "count", lambda count=count: count)
        results.append(np.empty((130, 170), np.float32))
        product.share(a, b, results[-1])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("rows, pieces", [(1, [4]), (3, [4]), (product.LEAST, [])])
def test_a_product_of_few_rows_in_pieces(rows, pieces, monkeypatch):
    a, b = operands(rows, 3000, 701, (False, True))
    share, results, taken = threads.each, [], []
    monkeypatch.setattr(threads, "each", lambda function, total: (taken.append(total), share(function, total)))
    for count in (1, 3):
        monkeypatch.setattr(threads, "count", lambda count=count: count)
        results.append(np.full((rows, 701), np.nan, np.float32))
        product.write(a, b, results[-1])
    assert taken == 2 * pieces
    np.testing.assert_array_equal(*results)
    np.testing.assert_allclose(results[0], a.astype(float) @ b, rtol=0, atol=1e-3)
