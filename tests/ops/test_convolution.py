"""The fast convolutions against the reference, and the reference against the definition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from caffe_fcn.ops import cpu_ops
from caffe_fcn.ops.cpu import product
from caffe_fcn.ops.cpu.conv import blocked, choose, diagonal
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.convolution import Geometry

# name: (algorithm, N, C, O, input sizes, kernel, stride, pad, dilation, group)
CASES = {
    "plain": ("blocked", 2, 3, 4, (7, 8), (3, 3), (1, 1), (0, 0), (1, 1), 1),
    "odd everything": ("blocked", 3, 2, 5, (11, 6), (4, 3), (3, 2), (1, 2), (1, 2), 1),
    "groups": ("blocked", 2, 6, 9, (9, 7), (3, 2), (2, 1), (1, 1), (1, 1), 3),
    "dilated": ("blocked", 1, 3, 4, (13, 9), (3, 3), (1, 1), (4, 4), (4, 4), 1),
    "no dilation at all": ("blocked", 1, 2, 3, (5, 4), (3, 2), (1, 1), (0, 0), (0, 0), 1),
    "pad beyond the kernel": ("blocked", 1, 2, 3, (5, 6), (3, 3), (1, 1), (6, 7), (1, 1), 1),
    "kernel over the input": ("blocked", 2, 2, 3, (4, 6), (5, 5), (2, 3), (0, 0), (1, 1), 1),
    "stride over the kernel": ("blocked", 2, 3, 2, (11, 12), (2, 2), (3, 4), (0, 1), (1, 1), 1),
    "one axis": ("blocked", 3, 4, 5, (11,), (3,), (2,), (1,), (1,), 1),
    "three axes": ("blocked", 2, 2, 3, (4, 5, 6), (2, 3, 3), (1, 2, 1), (0, 1, 2), (1, 1, 2), 1),
    "four axes": (None, 1, 2, 2, (3, 4, 3, 4), (2, 2, 1, 3), (1, 2, 1, 1), (0, 1, 0, 1), (1, 1, 1, 1), 1),
    "no axes": ("full", 4, 6, 4, (), (), (), (), (), 2),
    "whole input": ("full", 3, 4, 6, (5, 6), (5, 6), (1, 2), (0, 0), (1, 1), 1),
    "whole input in groups": ("full", 3, 4, 6, (3, 2), (3, 2), (1, 1), (0, 0), (1, 1), 2),
    "1x1": ("pointwise", 3, 5, 7, (4, 6), (1, 1), (1, 1), (0, 0), (1, 1), 1),
    "1x1 in groups": ("pointwise", 2, 6, 4, (4, 3), (1, 1), (1, 1), (0, 0), (3, 1), 2),
    "1x1 with stride": ("blocked", 2, 5, 7, (5, 6), (1, 1), (2, 3), (0, 0), (1, 1), 1),
    "1x1 with pad": ("blocked", 2, 5, 7, (5, 6), (1, 1), (1, 1), (2, 1), (1, 1), 1),
    "depthwise": ("depthwise", 2, 6, 6, (6, 5), (3, 3), (1, 1), (1, 1), (1, 1), 6),
    "depthwise, two outputs each": ("depthwise", 3, 4, 8, (9, 7), (4, 3), (2, 3), (2, 5), (1, 2), 4),
    "depthwise on one axis": ("depthwise", 2, 3, 3, (9,), (4,), (2,), (1,), (1,), 3),
    "depthwise on three axes": ("blocked", 1, 3, 3, (4, 3, 5), (2, 2, 2), (1, 1, 2), (0, 1, 0), (1, 1, 1), 3),
    "bilinear": ("depthwise", 2, 3, 3, (21, 25), (5, 5), (3, 3), (1, 1), (1, 1), 3),
    "bilinear by 8": ("depthwise", 2, 3, 3, (61, 90), (16, 16), (8, 8), (3, 5), (1, 1), 3),
    "empty batch": ("blocked", 0, 2, 3, (5, 5), (3, 3), (1, 1), (0, 0), (1, 1), 1),
    "empty batch, 1x1": ("pointwise", 0, 2, 4, (5, 5), (1, 1), (1, 1), (0, 0), (1, 1), 2),
    "empty batch, whole input": ("full", 0, 2, 3, (5, 5), (5, 5), (1, 1), (0, 0), (1, 1), 1),
    "empty batch, depthwise": ("depthwise", 0, 2, 2, (5, 5), (3, 3), (1, 1), (0, 0), (1, 1), 2),
}
GRADUAL = {np.float32: 2e-5, np.float64: 1e-13}


def make(name, dtype=np.float64):
    """Geometry and random x, weight, bias, gradient of the output of a case."""
    _, images, channels, outputs, sizes, kernel, stride, pad, dilation, group = CASES[name]
    geometry = Geometry(kernel, stride, pad, dilation, group)
    random = np.random.default_rng(len(name))
    shapes = ((images, channels, *sizes), (outputs, channels // group, *kernel), (outputs,),
              (images, outputs, *geometry.out_sizes(sizes)))
    return geometry, [random.standard_normal(shape).astype(dtype) for shape in shapes]


def passes(ops, name, dtype):
    """Results of all operations of one implementation, each written over garbage or added to ones."""
    geometry, (x, weight, bias, grad) = make(name, dtype)
    columns = np.full((*x.shape[:1], x.shape[1] * geometry.taps, *grad.shape[2:]), 7, dtype)
    results = {key: np.full(array.shape, start, dtype) for key, array, start in (
        ("out", grad, 7), ("no bias", grad, 7), ("x", x, 7), ("weight", weight, 1), ("bias", bias, 1),
        ("deconvolution", x, 7), ("columns", columns, 7), ("back", x, 7))}
    ops.convolution(x, weight, bias, results["out"], geometry)
    ops.convolution(x, weight, None, results["no bias"], geometry)
    ops.convolution_backward_data(grad, weight, results["x"], geometry)
    ops.convolution_backward_weight(x, grad, results["weight"], geometry)
    ops.bias_gradient(grad, results["bias"])
    ops.deconvolution(grad, weight, np.arange(x.shape[1], dtype=dtype), results["deconvolution"], geometry)
    ops.im2col(x, results["columns"], geometry)
    ops.col2im(results["columns"], results["back"], geometry)
    return results


@pytest.mark.parametrize("dtype", GRADUAL)
@pytest.mark.parametrize("name", CASES)
def test_cpu_agrees_with_reference(name, dtype):
    want, got, again = (passes(ops, name, dtype) for ops in (ReferenceOps(), cpu_ops(), cpu_ops()))
    for key, value in want.items():
        scale = np.abs(value).max(initial=1)
        np.testing.assert_allclose(got[key], value, rtol=0, atol=GRADUAL[dtype] * scale, err_msg=key)
        assert got[key].tobytes() == again[key].tobytes(), f"{key} differs between two runs"


@pytest.mark.parametrize("name", CASES)
def test_algorithm(name):
    geometry, (x, _, _, out) = make(name)
    chosen = choose(x.shape, out.shape, geometry, x.dtype)
    assert (chosen and chosen.__name__.rpartition(".")[2]) == CASES[name][0]


@pytest.mark.parametrize("name", ["odd everything", "kernel over the input", "groups", "one axis"])
def test_reference_is_the_definition(name):
    geometry, (x, weight, bias, out) = make(name)
    ReferenceOps().convolution(x, weight, bias, out, geometry)
    group_in, group_out = weight.shape[1], weight.shape[0] // geometry.group
    for n, o, *place in itertools.product(*map(range, out.shape)):
        total = bias[o]
        for c, *tap in itertools.product(range(group_in), *map(range, geometry.kernel)):
            at = [y * s - p + t * d for y, s, p, t, d in
                  zip(place, geometry.stride, geometry.pad, tap, geometry.dilation, strict=True)]
            if all(0 <= a < size for a, size in zip(at, x.shape[2:], strict=True)):
                total += weight[(o, c, *tap)] * x[(n, o // group_out * group_in + c, *at)]
        assert math.isclose(out[(n, o, *place)], total, abs_tol=1e-12)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("empty")])
def test_gradients_are_transposes(name):
    """<grad, conv(x, w)> is linear in x and in w: both gradients must give the same number."""
    geometry, (x, weight, _, grad) = make(name)
    ops, out, grad_x, grad_weight = cpu_ops(), np.empty_like(grad), np.empty_like(x), np.zeros_like(weight)
    ops.convolution(x, weight, None, out, geometry)
    ops.convolution_backward_data(grad, weight, grad_x, geometry)
    ops.convolution_backward_weight(x, grad, grad_weight, geometry)
    want = np.vdot(grad, out)
    assert np.vdot(grad_x, x) == pytest.approx(want, rel=1e-10)
    assert np.vdot(grad_weight, weight) == pytest.approx(want, rel=1e-10)


@pytest.mark.parametrize("pixels", [1, 5, 64])
def test_blocks_do_not_change_values(monkeypatch, pixels):
    """Blocks that end inside a row of the output, and products that are added a few rows at a time."""
    whole = passes(cpu_ops(), "odd everything", np.float64)
    monkeypatch.setattr(blocked, "BLOCK", 1)
    monkeypatch.setattr(blocked, "PIXELS", pixels)
    monkeypatch.setattr(blocked, "SMALL", 0)
    monkeypatch.setattr(product, "TEMPORARY", 100)
    for key, value in passes(cpu_ops(), "odd everything", np.float64).items():
        np.testing.assert_allclose(value, whole[key], rtol=0, atol=1e-13, err_msg=key)


def test_blocks_cover_all_pixels_within_the_limit():
    for total, rows in ((1, 1), (0, 10), (371_336, 576), (176, 25_088), (1_000_000, 1_000_000), (5000, 30_000_000)):
        parts = list(blocked.blocks(total, rows, 4))
        assert [p for part in parts[:3] for p in (part.start, part.stop)][1:-1:2] == [p.start for p in parts[1:3]]
        assert sum(part.stop - part.start for part in parts) == total
        assert all((part.stop - part.start) * rows * 4 <= blocked.LARGEST or part.stop - part.start == 1
                   for part in parts)


def test_output_size_truncates_toward_zero():
    def size(n, kernel, stride):
        return Geometry((kernel,), (stride,), (0,), (1,)).out_sizes((n,))

    assert size(3, 5, 3) == (1,)  # (3 - 5) / 3 is 0, floor would give -1 and so an output of 0
    assert size(2, 3, 1) == (0,)
    assert size(8, 3, 2) == (3,)
    assert size(5, 9, 1) == (-3,)


def test_add_product_adds():
    a, b = np.arange(12.).reshape(4, 3), np.arange(6.).reshape(3, 2)
    for ops in (ReferenceOps(), cpu_ops()):
        out = np.ones((4, 2))
        ops.add_product(a, b, out)
        assert (out == a @ b + 1).all()


def upsampling(value):
    """Results of a deconvolution whose weight does not mix channels, one of whose inputs is `value`; all engines."""
    random = np.random.default_rng(3)
    x, weight = random.standard_normal((2, 4, 5, 6)), np.zeros((4, 4, 4, 4))
    weight[range(4), range(4)] = random.standard_normal((4, 4, 4))
    x[0, 1, 2, 3] = value
    geometry = Geometry((4, 4), (2, 2), (1, 1), (1, 1))
    outs = []
    for ops, moves in ((ReferenceOps(), geometry), (cpu_ops(), geometry), (cpu_ops(), geometry._replace(plain=True))):
        out = np.empty((2, 4, *geometry.in_sizes(x.shape[2:])))
        back = np.empty(x.shape)
        ops.deconvolution(x, weight, None, out, moves)
        ops.convolution(out, weight, None, back, moves)
        outs.append((out, back))
    return outs


@pytest.mark.parametrize("value", [2.0, math.inf, math.nan])
def test_weights_on_the_diagonal(value):
    with np.errstate(invalid="ignore"):
        exact, *others = upsampling(value)
    for results in others:
        for result, expected in zip(results, exact, strict=True):
            np.testing.assert_allclose(result, expected, rtol=0, atol=1e-13)
    assert np.isnan(exact[0][0, 0]).any() == (not math.isfinite(value))  # other channels meet 0 * inf


def test_weights_off_the_diagonal_are_seen():
    weight = np.zeros((3, 3, 4, 4))
    weight[range(3), range(3)] = 1
    geometry = Geometry((4, 4), (2, 2), (1, 1), (1, 1))
    reduced, moves = diagonal.reduce(np.ones(3), weight, geometry)
    assert reduced.shape == (3, 1, 4, 4) and moves.group == 3
    weight[2, 0, 3, 3] = 1e-30
    assert diagonal.reduce(np.ones(3), weight, geometry) == (weight, geometry)
