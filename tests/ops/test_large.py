"""The convolution with large kernels against the definition in float64."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn.layers.window import geometry as read_geometry
from caffe_fcn.ops import cpu_ops
from caffe_fcn.ops.cpu import threads
from caffe_fcn.ops.cpu.conv import blocked, choose, large
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.convolution import Geometry
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse

LARGEST_ERROR = 1e-5  # of the largest value


def make(shape, outputs, kernel, pad, seed=0):
    """Geometry and random float32 x, weight, bias and gradient of the output."""
    geometry = Geometry(kernel, (1, 1), pad, (1, 1))
    random = np.random.default_rng(seed)
    shapes = shape, (outputs, shape[1], *kernel), (outputs,), (shape[0], outputs, *geometry.out_sizes(shape[2:]))
    return geometry, [random.standard_normal(shape, dtype=np.float32) for shape in shapes]


def passes(ops, geometry, x, weight, bias, grad):
    """Results of the three passes: out and x written over NaN, weight added to ones."""
    out, grad_x = np.full(grad.shape, np.nan, x.dtype), np.full(x.shape, np.nan, x.dtype)
    grad_weight = np.ones(weight.shape, x.dtype)
    if ops is large:
        ops.forward(x, weight, bias, out, geometry)
        ops.backward_data(grad, weight, grad_x, geometry)
        ops.backward_weight(x, grad, grad_weight, geometry)
    else:
        ops.convolution(x, weight, bias, out, geometry)
        ops.convolution_backward_data(grad, weight, grad_x, geometry)
        ops.convolution_backward_weight(x, grad, grad_weight, geometry)
    return {"out": out, "x": grad_x, "weight": grad_weight}


def check(shape, outputs, kernel, pad, seed=0):
    """Compare all passes with the definition."""
    geometry, arrays = make(shape, outputs, kernel, pad, seed)
    exact = passes(ReferenceOps(), geometry, *(array.astype(np.float64) for array in arrays))
    for key, value in passes(large, geometry, *arrays).items():
        worst = np.abs(value - exact[key]).max() if value.size else 0
        largest = np.abs(exact[key]).max(initial=1)
        assert worst <= LARGEST_ERROR * largest, (key, shape, outputs, kernel, pad, seed)


@pytest.mark.parametrize("start", range(0, 200, 25))
def test_random_shapes(start):
    for seed in range(start, start + 25):
        random = np.random.default_rng(seed)
        images, channels, outputs = (int(random.integers(1, most)) for most in (4, 50, 70))
        kernel = tuple(int(size) for size in random.integers(5, 9, 2))
        sizes = [int(size) for size in random.integers(1, (20, 40))]
        pad = tuple(int(max(extra, -(-(taps - size) // 2), 0))
                    for extra, taps, size in zip(random.integers(0, 10, 2), kernel, sizes, strict=True))
        check((images, channels, *sizes), outputs, kernel, pad, seed)


@pytest.mark.parametrize("shape, outputs, kernel, pad", [
    ((1, 32, 17, 22), 64, (7, 7), (0, 0)),  # as fc6
    ((1, 16, 7, 7), 16, (7, 7), (0, 0)),  # one output pixel
    ((1, 1, 1, 1), 1, (5, 8), (2, 7)),
    ((9, 17, 8, 6), 33, (5, 5), (0, 0)),  # a block of several images
], ids=str)
def test_special_shapes(shape, outputs, kernel, pad):
    check(shape, outputs, kernel, pad)


def test_empty_batch():
    check((0, 16, 8, 8), 16, (7, 7), (0, 0))


def test_many_channels_keep_the_error_small():
    check((1, 1024, 12, 10), 32, (7, 7), (0, 0))


def test_groups_and_threads_do_not_change_a_bit(monkeypatch):
    geometry, arrays = make((2, 40, 17, 21), 90, (7, 7), (1, 1))
    monkeypatch.setattr(threads, "count", lambda: 1)
    whole = passes(large, geometry, *arrays)
    monkeypatch.setattr(threads, "count", lambda: 3)
    monkeypatch.setattr(large, "GROUP", 1)
    monkeypatch.setattr(large, "OUTPUTS", 32)
    for key, value in passes(large, geometry, *arrays).items():
        np.testing.assert_array_equal(value, whole[key], err_msg=key)


def test_tiles_in_several_blocks(monkeypatch):
    monkeypatch.setattr(large, "MEMORY", 1)
    check((3, 18, 35, 27), 34, (7, 6), (3, 0))  # blocks begin and end within rows of tiles and between images


def takes(shape, outputs, dtype=np.float32, **fields):
    """The algorithm for a convolution of this shape."""
    text = "".join(f"{name}: {value} " for name, value in {"kernel_size": 7, **fields}.items())
    param = parse(text, caffe_pb2.ConvolutionParameter())
    geometry = read_geometry(param, 2, param.group)
    return choose(shape, (shape[0], outputs, *geometry.out_sizes(shape[2:])), geometry, dtype)


def test_where_it_is_taken():
    assert takes((1, 512, 17, 22), 4096) is large
    assert takes((1, 512, 17, 22), 4096, engine="CAFFE") is blocked  # the sums of the original
    assert takes((1, 512, 17, 22), 4096, dtype=np.float64) is blocked
    assert takes((1, 32, 27, 27), 64, kernel_size=5, pad=2) is large
    for other in ({"stride": 2}, {"dilation": 2}, {"group": 2}, {"kernel_size": 9}, {"kernel_size": 4}):
        assert takes((1, 32, 32, 32), 64, **other) is blocked
    assert takes((1, 3, 32, 32), 64) is blocked
    assert takes((1, 512, 8, 8), 4096) is blocked  # too few tiles for transforming the weight


def test_operations_use_it():
    geometry, arrays = make((1, 32, 24, 24), 32, (7, 7), (1, 1))
    direct, through = passes(large, geometry, *arrays), passes(cpu_ops(), geometry, *arrays)
    plain = passes(cpu_ops(), geometry._replace(plain=True), *arrays)
    for key, value in through.items():
        np.testing.assert_array_equal(value, direct[key], err_msg=key)
        assert np.abs(plain[key] - value).max() > 0, key
