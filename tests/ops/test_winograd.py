"""Winograd's convolution against the definition in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

from caffe_fcn.layers.window import geometry as read_geometry
from caffe_fcn.ops import cpu_ops
from caffe_fcn.ops.cpu import threads
from caffe_fcn.ops.cpu.conv import blocked, choose, winograd
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.convolution import Geometry
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse

LARGEST_ERROR = {4: 5e-6, 6: 1.5e-5}  # of the largest value, for tiles of so many outputs along a side


def make(shape, outputs, pad, seed=0):
    """Geometry and random float32 x, weight, bias and gradient of the output."""
    geometry = Geometry((3, 3), (1, 1), pad, (1, 1))
    random = np.random.default_rng(seed)
    shapes = shape, (outputs, shape[1], 3, 3), (outputs,), (shape[0], outputs, *geometry.out_sizes(shape[2:]))
    return geometry, [random.standard_normal(shape, dtype=np.float32) for shape in shapes]


def passes(ops, geometry, x, weight, bias, grad):
    """Results of the three passes: out and x written over NaN, weight added to ones."""
    out, grad_x = np.full(grad.shape, np.nan, x.dtype), np.full(x.shape, np.nan, x.dtype)
    grad_weight = np.ones(weight.shape, x.dtype)
    if ops is winograd:
        ops.forward(x, weight, bias, out, geometry)
        ops.backward_data(grad, weight, grad_x, geometry)
        ops.backward_weight(x, grad, grad_weight, geometry)
    else:
        ops.convolution(x, weight, bias, out, geometry)
        ops.convolution_backward_data(grad, weight, grad_x, geometry)
        ops.convolution_backward_weight(x, grad, grad_weight, geometry)
    return {"out": out, "x": grad_x, "weight": grad_weight}


def check(shape, outputs, pad, seed=0):
    """Compare all passes with the definition."""
    geometry, arrays = make(shape, outputs, pad, seed)
    exact = passes(ReferenceOps(), geometry, *(array.astype(np.float64) for array in arrays))
    sizes = {"x": winograd.tile(shape), **dict.fromkeys(("out", "weight"), winograd.tile(arrays[3].shape))}
    for key, value in passes(winograd, geometry, *arrays).items():
        worst = np.abs(value - exact[key]).max() if value.size else 0
        largest = np.abs(exact[key]).max(initial=1)
        assert worst <= LARGEST_ERROR[sizes[key]] * largest, (key, shape, outputs, pad, seed)


@pytest.mark.parametrize("start", range(0, 240, 30))
def test_random_shapes(start):
    for seed in range(start, start + 30):
        random = np.random.default_rng(seed)
        images, channels, outputs = (int(random.integers(1, most)) for most in (4, 40, 70))
        height, width = (int(size) for size in random.integers(1, (30, 90)))
        pad = tuple(int(max(size, 3 - least, 0)) for size, least in zip(random.integers(0, 5, 2), (height, width),
                                                                      strict=True))
        check((images, channels, height, width), outputs, pad, seed)


@pytest.mark.parametrize("shape, outputs, pad", [
    ((1, 16, 21, 30), 17, (100, 100)),  # as the first layer of an FCN
    ((1, 3, 1, 1), 1, (1, 1)),
    ((2, 64, 9, 9), 64, (0, 2)),
    ((1, 16, 4, 300), 16, (1, 1)),  # a row of more tiles than a panel has
    ((9, 33, 3, 5), 40, (1, 0)),  # a panel of several images
], ids=str)
def test_special_shapes(shape, outputs, pad):
    check(shape, outputs, pad)


def test_empty_batch():
    check((0, 16, 8, 8), 16, (1, 1))


@pytest.mark.parametrize("sizes, size", [((37, 41), 6), ((13, 17), 4)])
@pytest.mark.parametrize("changes", [{"BLOCK": 1}, {"NEAR": 0}], ids=str)
def test_blocks_and_threads_do_not_change_a_bit(sizes, size, changes, monkeypatch):
    geometry, arrays = make((2, 40, *sizes), 36, (1, 1))
    assert winograd.tile(arrays[3].shape) == size
    monkeypatch.setattr(threads, "count", lambda: 1)
    whole = passes(winograd, geometry, *arrays)
    monkeypatch.setattr(threads, "count", lambda: 3)
    for name, value in changes.items():
        monkeypatch.setattr(winograd, name, value)
    for key, value in passes(winograd, geometry, *arrays).items():
        np.testing.assert_array_equal(value, whole[key], err_msg=key)


def test_few_tiles_are_shared_by_outputs(monkeypatch):
    taken = []
    for name in ("_by_tiles", "_by_outputs"):
        monkeypatch.setattr(winograd, name, lambda *arguments, name=name: taken.append(name))
    monkeypatch.setattr(threads, "count", lambda: 2)
    for shape in ((1, 64, 34, 44), (1, 64, 134, 175)):
        geometry, arrays = make(shape, 64, (1, 1))
        winograd.forward(*arrays, geometry)
    assert taken == ["_by_outputs", "_by_tiles"]


@pytest.mark.parametrize("shape", [(1, 8, 20, 20), (1, 8, 70, 70)], ids=str)
def test_relu_within(shape):
    geometry, (x, weight, bias, out) = make(shape, 20, (1, 1))
    x[0, 3, 4, 4], bias[5], bias[6] = np.nan, -np.inf, np.inf
    winograd.forward(x, weight, bias, out, geometry)
    joined = np.empty_like(out)
    winograd.forward(x, weight, bias, joined, geometry, relu=True)
    cpu_ops().relu(out, out, 0)
    np.testing.assert_array_equal(joined, out)
    assert np.isnan(joined[0, 5]).all() and (joined[0, 7] > 0).any() and (joined[0, 7] == 0).any()


@pytest.mark.parametrize("size", [4, 6])
def test_transforms_make_a_convolution_of_a_line(size):
    from caffe_fcn.ops.cpu.conv import winograd_steps as steps

    random = np.random.default_rng(0)
    values, taps = random.standard_normal(size + 2), random.standard_normal(3)
    image, weight, output = (getattr(steps, f"{kind}_by_{size}") for kind in ("image", "weight", "output"))
    made = output([a * b for a, b in zip(image(values), weight(taps), strict=True)])
    np.testing.assert_allclose(made, np.correlate(values, taps, "valid"), rtol=1e-12)


def test_gradient_of_weight_in_several_parts(monkeypatch):
    monkeypatch.setattr(winograd, "SHARED", 1)
    check((3, 16, 61, 83), 16, (1, 1))


def test_a_value_that_is_no_number_stays_in_its_tiles():
    geometry, (x, weight, bias, grad) = make((1, 16, 40, 40), 16, (1, 1))
    x[0, 3, 8, 8] = np.nan
    out = passes(winograd, geometry, x, weight, bias, grad)["out"]
    bad = np.argwhere(np.isnan(out[0, 0]))
    assert bad.min() >= 6 and bad.max() < 12


def takes(shape, outputs, dtype=np.float32, **fields):
    """The algorithm for a convolution of this shape."""
    text = "".join(f"{name}: {value} " for name, value in {"kernel_size": 3, "pad": 1, **fields}.items())
    param = parse(text, caffe_pb2.ConvolutionParameter())
    geometry = read_geometry(param, 2, param.group)
    return choose(shape, (shape[0], outputs, *geometry.out_sizes(shape[2:])), geometry, dtype)


def test_where_it_is_taken():
    assert takes((1, 64, 32, 32), 64) is winograd
    assert takes((1, 64, 32, 32), 2) is winograd
    assert takes((1, 64, 32, 32), 64, engine="CUDNN") is winograd
    assert takes((1, 64, 32, 32), 64, engine="CAFFE") is blocked  # the sums of the original
    assert takes((1, 64, 32, 32), 64, dtype=np.float64) is blocked
    for other in ({"stride": 2}, {"dilation": 2}, {"group": 2}):
        assert takes((1, 64, 32, 32), 64, **other) is blocked
    assert takes((1, 3, 32, 32), 64) is blocked
    assert takes((1, 64, 4, 4), 64) is blocked


def test_operations_use_it():
    geometry, arrays = make((1, 32, 24, 24), 32, (1, 1))
    direct, through = passes(winograd, geometry, *arrays), passes(cpu_ops(), geometry, *arrays)
    plain = passes(cpu_ops(), geometry._replace(plain=True), *arrays)
    for key, value in through.items():
        np.testing.assert_array_equal(value, direct[key], err_msg=key)
        assert not math.isclose(np.abs(plain[key] - value).max(), 0), key
