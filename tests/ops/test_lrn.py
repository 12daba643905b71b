"""Local response normalisation: tiles against the whole, the reference against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn import ops
from caffe_fcn.ops.cpu import tiles
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.lrn import Response

FAST, REFERENCE = ops.cpu_ops(), ReferenceOps()
SHAPE = (2, 7, 5, 6)
RESPONSES = [Response(1, 0.5, 0.75), Response(3, 0.9, 0.5, 2.0), Response(5, 1e-1, 0.75), Response(21, 1.0, 1.5)]


def make(dtype=np.float64):
    random = np.random.default_rng(3)
    return [random.normal(size=SHAPE).astype(dtype) for _ in range(2)]


def passes(operations, response, dtype):
    x, grad = make(dtype)
    results = {key: np.full(SHAPE, 7, dtype) for key in ("across", "across back", "within", "within back")}
    flat = {key: value.reshape(2, 7, 30) for key, value in {**results, "x": x, "grad": grad}.items()}
    operations.lrn_across(flat["x"], flat["across"], response)
    operations.lrn_across_backward(flat["x"], flat["grad"], flat["across back"], response)
    operations.lrn_within(x, results["within"], response)
    operations.lrn_within_backward(x, grad, results["within back"], response)
    return results


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("response", RESPONSES)
def test_cpu_agrees_with_reference(monkeypatch, response, dtype):
    want = passes(REFERENCE, response, dtype)
    monkeypatch.setattr(tiles.tiles, "__defaults__", (60,))
    for key, value in passes(FAST, response, dtype).items():
        np.testing.assert_allclose(value, want[key], rtol=1e-5, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("response", RESPONSES)
def test_reference_is_the_definition(response):
    x, _ = make()
    got, half = passes(REFERENCE, response, np.float64), response.size // 2
    for n, c, h, w in np.ndindex(SHAPE):
        near = x[n, max(0, c - half): c + half + 1, h, w]
        want = x[n, c, h, w] * (response.k + response.alpha / response.size * (near ** 2).sum()) ** -response.beta
        assert got["across"][n, c, h, w] == pytest.approx(want)
        square = x[n, c, max(0, h - half): h + half + 1, max(0, w - half): w + half + 1]
        sizes = [min(place + half + 1, size + half) - (place - half) for place, size in ((h, 5), (w, 6))]
        want = x[n, c, h, w] * (1 + response.alpha * (square ** 2).sum() / np.prod(sizes)) ** -response.beta
        assert got["within"][n, c, h, w] == pytest.approx(want)


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("kind", ["across", "within"])
def test_gradient(kind, response):
    x, grad = make()
    direction = np.random.default_rng(5).normal(size=SHAPE)
    view = (2, 7, 30) if kind == "across" else SHAPE

    def value(step):
        out = np.empty(view)
        getattr(FAST, f"lrn_{kind}")((x + step * direction).reshape(view), out, response)
        return (out.reshape(SHAPE) * grad).sum()

    got = (passes(FAST, response, np.float64)[f"{kind} back"] * direction).sum()
    assert got == pytest.approx((value(1e-5) - value(-1e-5)) / 2e-5, rel=1e-6)


@pytest.mark.parametrize("kind", ["across", "within"])
def test_forward_in_place(kind):
    x, _ = make()
    want = passes(FAST, RESPONSES[2], np.float64)[kind]
    place = x.reshape((2, 7, 30) if kind == "across" else SHAPE)
    getattr(FAST, f"lrn_{kind}")(place, place, RESPONSES[2])
    np.testing.assert_array_equal(x, want)
