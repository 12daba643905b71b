"""The kernels against the reference, on the cases and random shapes of the CPU's tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from caffe_fcn.ops.gpu import channels, columns, launch
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.convolution import Geometry
from caffe_fcn.ops.reference.lrn import Response
from caffe_fcn.ops.reference.pooling import LOWEST, Window

REFERENCE = ReferenceOps()
BOUNDS = {np.float32: 2e-5, np.float64: 1e-13}


def load(name):
    """A module of the tests of the CPU's operations."""
    spec = importlib.util.spec_from_file_location(f"ops_{name}", Path(__file__).parent.parent / "ops" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


convolution, pooling, softmax = map(load, ("test_convolution", "test_pooling", "test_softmax"))
drawn = load("test_random_shapes")


def compare(kernels, passes, name, dtype, bound, launches):
    """The results of all operations of a case, and again the same bits."""
    want, got = passes(REFERENCE, name, dtype), passes(kernels, name, dtype)
    assert kernels.launches == launches and kernels.waits == 0
    again = passes(kernels, name, dtype)
    for key, value in want.items():
        scale = np.abs(value[np.isfinite(value)]).max(initial=1)
        np.testing.assert_allclose(got[key], value, rtol=0, atol=bound * scale, err_msg=key)
        assert got[key].tobytes() == again[key].tobytes(), f"{key} differs between two runs"


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", pooling.CASES)
def test_pooling(kernels, name, dtype):
    with np.errstate(all="ignore"):
        launches = 0 if 0 in pooling.CASES[name][0] else 3 if 0 in pooling.CASES[name][1] else 8
        compare(kernels, pooling.passes, name, dtype, BOUNDS[dtype] / 100, launches)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", softmax.SHAPES)
def test_softmax(kernels, name, dtype):
    compare(kernels, softmax.passes, name, dtype, BOUNDS[dtype], 4 if np.prod(softmax.SHAPES[name]) else 0)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", convolution.CASES)
def test_convolution(kernels, name, dtype):
    want, got, again = (convolution.passes(ops, name, dtype) for ops in (REFERENCE, kernels, kernels))
    for key, value in want.items():
        scale = np.abs(value).max(initial=1)
        np.testing.assert_allclose(got[key], value, rtol=0, atol=BOUNDS[dtype] * scale, err_msg=key)
        assert got[key].tobytes() == again[key].tobytes(), f"{key} differs between two runs"
    assert kernels.waits == 0
    only_bias = {"four axes": 2, **{empty: 0 for empty in convolution.CASES if empty.startswith("empty")}}
    assert kernels.launches == only_bias[name] if name in only_bias else kernels.launches > 2


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("name", ["plain", "groups", "depthwise", "1x1", "no axes", "empty batch"])
def test_convolution_with_relu(kernels, name, dtype):
    geometry, (x, weight, bias, out) = convolution.make(name, dtype)
    for given in (bias, None):
        apart, together = np.full_like(out, 7), np.full_like(out, 7)
        kernels.convolution(x, weight, given, apart, geometry)
        kernels.relu(apart, apart, 0)
        kernels.convolution_relu(x, weight, given, together, geometry)
        np.testing.assert_array_equal(together, apart)


@pytest.mark.parametrize("workspace", [1, 200, 1000])
@pytest.mark.parametrize("name", ["odd everything", "groups", "three axes", "1x1 in groups", "no dilation at all"])
def test_columns_in_blocks(kernels, monkeypatch, name, workspace):
    whole = convolution.passes(kernels, name, np.float64)
    monkeypatch.setattr(columns, "WORKSPACE", workspace)
    for key, value in convolution.passes(kernels, name, np.float64).items():
        np.testing.assert_allclose(value, whole[key], rtol=0, atol=1e-13, err_msg=key)


def test_depthwise_gradient_in_parts(kernels, monkeypatch):
    whole = convolution.passes(kernels, "depthwise, two outputs each", np.float64)["weight"]
    monkeypatch.setattr(columns, "PARTS", 10)
    parts = convolution.passes(kernels, "depthwise, two outputs each", np.float64)["weight"]
    np.testing.assert_allclose(parts, whole, rtol=0, atol=1e-13)


@pytest.mark.parametrize("operation", [drawn.convolution, drawn.deconvolution, drawn.columns, drawn.max_pooling,
                                       drawn.average_pooling, drawn.unpooling, drawn.relu, drawn.lrn, drawn.softmax],
                         ids=lambda operation: operation.__name__)
def test_random_shapes(kernels, operation):
    for seed in range(40):
        want, got = (operation(ops, drawn.Draw(seed)) for ops in (REFERENCE, kernels))
        for index, (right, value) in enumerate(zip(want, got, strict=True)):
            largest = np.abs(right[np.isfinite(right)]).max(initial=1)
            np.testing.assert_allclose(value, right, rtol=0, atol=2e-5 * largest, err_msg=f"{seed=} {index=}")
    assert kernels.launches >= 40 and kernels.waits == 0


@pytest.mark.parametrize("wide", [False, True])
def test_indices_of_64_bits(kernels, monkeypatch, wide):
    monkeypatch.setattr(launch, "SMALL", 1 if wide else 1 << 30)
    seen = []
    monkeypatch.setattr(launch, "_kernel", lambda *key, real=launch._kernel: (seen.append(key[-1]), real(*key))[1])
    for name in ("odd everything", "depthwise"):
        want, got = (convolution.passes(ops, name, np.float32) for ops in (REFERENCE, kernels))
        for key, value in want.items():
            np.testing.assert_allclose(got[key], value, rtol=0, atol=2e-5 * np.abs(value).max(), err_msg=key)
    assert set(seen) == {wide}


@pytest.mark.parametrize("blocks", [1, 3])
def test_threads_take_several_elements(kernels, monkeypatch, blocks):
    monkeypatch.setattr(launch, "MOST_BLOCKS", blocks)
    x, out = np.arange(5000.) - 2500, np.empty(5000)
    kernels.relu(x, out, 0.5)
    np.testing.assert_array_equal(out, np.where(x > 0, x, x / 2))


# pooling


def test_nan_never_wins_and_minus_infinity_is_no_maximum(kernels):
    x = np.array([[[[np.nan, 1, -np.inf, -np.inf, np.nan, np.nan]]]])
    out, mask, window = np.empty((1, 1, 1, 3)), np.empty((1, 1, 1, 3)), Window((1, 2), (1, 2), (0, 0))
    kernels.max_pool(x, out, window)
    kernels.max_pool_mask(x, mask, window)
    assert out.ravel().tolist() == [1, LOWEST, LOWEST]
    assert mask.ravel().tolist() == [1, -1, -1]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_mask_may_point_out_of_its_window_and_not_out_of_its_plane(kernels, dtype):
    random = np.random.default_rng(2)
    x, grad = random.random((2, 3, 5, 6), np.float32), random.random((2, 3, 4, 5), np.float32)
    mask = random.integers(-3, 40, grad.shape).astype(dtype)
    if dtype is np.float32:
        mask.flat[:5] = np.nan, np.inf, -np.inf, -0.5, 1e18
    want, got, window = np.full_like(x, 7), np.full_like(x, 7), Window((2, 2), (1, 1), (0, 0))
    with np.errstate(invalid="ignore"):
        REFERENCE.max_pool_backward(x, mask, grad, want, window)
    kernels.max_pool_backward(x, mask, grad, got, window)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("size", [(6, 8), (7, 9)])
def test_stochastic_pooling(kernels, size, dtype):
    random = np.random.default_rng(5)
    x = np.maximum(random.normal(size=(2, 3, *size)), 0).astype(dtype)
    x[0, 0, :4] = 0
    window, shape = Window((3, 2), (2, 2), (0, 0)), (2, 3, 3, 5 if size[1] == 9 else 4)
    chance, results = random.random(shape, np.float32), []
    for ops in (REFERENCE, kernels):
        results.append([np.full(shape, 7, dtype), np.full(shape, 7, np.int32), np.full(shape, 7, dtype)])
        ops.stochastic_pool(x, chance, *results[-1][:2], window)
        ops.stochastic_pool_mean(x, results[-1][2], window)
    for want, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("bad", [-1, 24, np.nan, np.inf, 1e9])
def test_unpooling_with_a_wrong_mask_is_told_and_seen(kernels, bad):
    mask = np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3)
    x, out, back = np.ones_like(mask), np.empty((1, 1, 4, 6), np.float32), np.empty_like(mask)
    assert kernels.unpool(x, mask, out).all() and kernels.unpool_backward(out, mask, back).all()
    mask[0, 0, 1, 1] = bad
    assert not kernels.unpool(x, mask, out).all() and np.isnan(out).all()
    assert not kernels.unpool_backward(x.repeat(4).reshape(out.shape), mask, back).all()
    assert np.isnan(back).sum() == 1 and np.isnan(back[0, 0, 1, 1])


def test_of_several_values_for_one_place_the_last_stays(kernels):
    x, out = np.arange(1., 7).reshape(1, 1, 2, 3), np.empty((1, 1, 3, 3))
    kernels.unpool(x, np.array([3., 4, 3, 3, 5, 4]).reshape(x.shape), out)
    assert out.ravel().tolist() == [0, 0, 0, 4, 6, 5, 0, 0, 0]


# normalisation, losses


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("response", [Response(1, 0.5, 0.75), Response(5, 0.1, 0.75, 2.0), Response(21, 1.0, 1.5)])
def test_normalisation(kernels, response, dtype):
    random, results = np.random.default_rng(3), []
    x, grad = (random.normal(size=(2, 7, 5, 6)).astype(dtype) for _ in range(2))
    for ops in (REFERENCE, kernels):
        within, within_back = np.empty_like(x), np.empty_like(x)
        across, across_back = np.empty((2, 7, 30), dtype), np.empty((2, 7, 30), dtype)
        in_place = x.reshape(2, 7, 30).copy()
        ops.lrn_across(x.reshape(2, 7, 30), across, response)
        ops.lrn_across(in_place, in_place, response)
        ops.lrn_across_backward(x.reshape(2, 7, 30), grad.reshape(2, 7, 30), across_back, response)
        ops.lrn_within(x, within, response)
        ops.lrn_within_backward(x, grad, within_back, response)
        results.append((across, in_place, across_back, within, within_back))
    for want, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=BOUNDS[dtype])


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("shape", [(2, 3, 50), (3, 40, 7), (1, 1, 1), (2, 3, 0), (0, 3, 4)], ids=str)
def test_channels(kernels, monkeypatch, shape, dtype):
    monkeypatch.setattr(channels, "LANES", 60)
    random, results = np.random.default_rng(3), []
    y, grad = (random.normal(size=shape).astype(dtype) for _ in range(2))
    deviation = 1 + random.random(shape[1]).astype(dtype)
    for ops in (REFERENCE, kernels):
        back, bias = np.full_like(y, 7), np.ones(shape[1], dtype)
        ops.normalize_backward(y, grad, deviation, back)
        ops.bias_gradient(grad, bias)
        results.append((ops.channel_sum(y), ops.channel_sum(y, grad), ops.channel_mean(y, y), back, bias))
    for want, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=10 * BOUNDS[dtype])


def test_softmax_may_run_in_place(kernels):
    x, want = np.random.default_rng(1).normal(size=(2, 5, 3)), np.empty((2, 5, 3))
    kernels.softmax(x, want)
    kernels.softmax(x, x)
    np.testing.assert_array_equal(x, want)


def test_the_loss_is_bounded_and_nan_stays_visible(kernels):
    x = np.array([[1e4, -1e4], [0, np.nan]], np.float32)[..., None]
    for labels, want in (([[1], [-1]], 87.336544), ([[0], [-1]], 0), ([[0], [0]], np.nan)):
        assert kernels.softmax_loss(x, np.array(labels)) == pytest.approx(want, nan_ok=True)


def test_labels_of_another_type(kernels):
    x, labels, _ = softmax.make("spatial", np.float64)
    assert kernels.softmax_loss(x, labels.astype(np.int32)) == pytest.approx(REFERENCE.softmax_loss(x, labels))


@pytest.mark.parametrize("ignore", [(), (255,), (3,), (-1,), (-7,), (3, 255)], ids=str)
@pytest.mark.parametrize("dtype", BOUNDS)
def test_class_numbers(kernels, dtype, ignore):
    values = np.array([0, 3.7, -0.5, -1, -7, 4.99, 5, 255, np.nan, np.inf, -np.inf, 1e30, -3e9, 2.0], dtype)
    for want, got in zip(*(ops.class_numbers(values, 5, ignore) for ops in (REFERENCE, kernels)), strict=True):
        np.testing.assert_array_equal(got, want)
        assert got.dtype == want.dtype


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("dtype", BOUNDS)
def test_sigmoid_loss(kernels, dtype, part):
    random, results = np.random.default_rng(3), []
    x, target = (4 * random.normal(size=(3, 50)).astype(dtype), random.random((3, 50)).astype(dtype))
    x[0, :4] = 1e4, -1e4, 0, 90
    counted = random.random(x.shape) < 0.5 if part else None
    for ops in (REFERENCE, kernels):
        back = np.full_like(x, 7)
        ops.sigmoid_loss_backward(x, target, counted, np.array(0.25, dtype), back)
        results.append((ops.sigmoid_loss(x, target, counted), back))
    for want, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=10 * BOUNDS[dtype], atol=BOUNDS[dtype])


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("slope", [0, 0.1, -0.5])
def test_relu_and_sigmoid(kernels, slope, dtype):
    tiny = 1e-40 if kernels.on_host or dtype is np.float64 else 1e-30  # on a card what is less than normal counts as 0
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, tiny, 3, -3, -20], dtype)
    grad, results = np.arange(1., 10).astype(dtype), []
    for ops in (REFERENCE, kernels):
        out, back, gate = np.empty_like(x), np.empty_like(x), np.empty_like(x)
        ops.relu(x, out, slope)
        ops.relu_backward(x, grad, back, slope)
        ops.sigmoid(x, gate)
        results.append((out, back, gate))
    for want, got in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=BOUNDS[dtype])


def test_arrays_that_no_kernel_covers_go_to_the_reference(kernels):
    if not kernels.on_host:
        pytest.skip("arrays are copied to a card one after another")
    x = np.arange(-8., 8).reshape(4, 4)
    out = np.empty((4, 8))[:, ::2]
    kernels.relu(x.T, out, 0)
    np.testing.assert_array_equal(out, np.maximum(x.T, 0))
    assert kernels.launches == 0


def test_a_geometry_of_numpy_numbers_is_taken(kernels):
    x, out = np.ones((1, 1, 4, 4)), np.empty((1, 1, 2, 2))
    kernels.convolution(x, np.ones((1, 1, 3, 3)), None, out, Geometry(*[tuple(np.array(pair)) for pair in (
        (3, 3), (1, 1), (0, 0), (1, 1))]))
    assert (out == 9).all()
