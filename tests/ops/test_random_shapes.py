"""Every fast operation against the reference on 200 random shapes: odd and tiny ones, groups, dilation, stride, pads
larger than the kernel, several images.
"""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn.ops import cpu_ops
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.convolution import Geometry
from caffe_fcn.ops.reference.lrn import Response
from caffe_fcn.ops.reference.pooling import Window

SHAPES = 200
WHOLE = 2e-5  # largest error allowed, of the largest value: that of Winograd's algorithm


class Draw:
    """Random numbers of one case."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)

    def number(self, least, most):
        return int(self.random.integers(least, most + 1))

    def pair(self, least, most):
        return self.number(least, most), self.number(least, most)

    def array(self, *shape):
        return self.random.standard_normal(shape, dtype=np.float32)

    def ties(self, *shape):
        return self.random.integers(-3, 4, shape).astype(np.float32)

    def convolution(self):
        """Geometry, x, weight, bias and output of a convolution; every second one is of the kind of VGG's."""
        group = self.random.choice([1, 1, 2, 3])
        each_in, each_out = self.number(1, 7), self.number(1, 7)
        if self.number(0, 1):
            geometry = Geometry((3, 3), (1, 1), self.pair(0, 4), (1, 1), 1)
            each_in, each_out, group = self.number(1, 20), self.number(1, 40), 1
        else:
            if self.number(0, 3) == 0:
                group, each_in = self.number(2, 6), 1  # depthwise
            geometry = Geometry(self.pair(1, 5), self.pair(1, 3), self.pair(0, 7), self.pair(1, 3), int(group))
        least = [max(1, size - 2 * pad) for size, pad in zip(geometry.extent, geometry.pad, strict=True)]
        sizes = [low + self.number(0, 24) for low in least]
        images, channels, outputs = self.number(1, 3), each_in * geometry.group, each_out * geometry.group
        return geometry, (self.array(images, channels, *sizes), self.array(outputs, each_in, *geometry.kernel),
                          self.array(outputs), self.array(images, outputs, *geometry.out_sizes(sizes)))

    def pooling(self):
        """Window, x and output of a pooling."""
        kernel = self.pair(1, 4)
        pad = tuple(self.number(0, size - 1) for size in kernel)
        window = Window(kernel, self.pair(1, 4), pad)
        sizes = [size + self.number(0, 40) for size in kernel]
        outs = [-(-(n + 2 * p - k) // s) + 1 for n, k, s, p in zip(sizes, *window, strict=True)]
        outs = [o - (max(pad) > 0 and (o - 1) * s >= n + p)
                for o, n, s, p in zip(outs, sizes, window.stride, pad, strict=True)]
        planes = self.pair(1, 5)
        return window, self.ties(*planes, *sizes), self.array(*planes, *outs)


def convolution(ops, draw):
    geometry, (x, weight, bias, grad) = draw.convolution()
    out, back, total = np.full_like(grad, 7), np.full_like(x, 7), np.ones_like(weight)
    ops.convolution(x, weight, bias, out, geometry)
    ops.convolution_backward_data(grad, weight, back, geometry)
    ops.convolution_backward_weight(x, grad, total, geometry)
    return out, back, total


def deconvolution(ops, draw):
    geometry, (x, weight, _, grad) = draw.convolution()
    if geometry.group == 1 and draw.number(0, 1):
        weight *= np.eye(*weight.shape[:2], dtype=np.float32)[..., None, None]  # as upsampling has it
    out = np.full_like(x, 7)
    ops.deconvolution(grad, weight, draw.array(x.shape[1]), out, geometry)
    return (out,)


def columns(ops, draw):
    geometry, (x, _, _, grad) = draw.convolution()
    cols, back = np.full((len(x), x.shape[1] * geometry.taps, *grad.shape[2:]), 7, np.float32), np.full_like(x, 7)
    ops.im2col(x, cols, geometry)
    ops.col2im(cols, back, geometry)
    return cols, back


def product(ops, draw):
    rows, inner, columns = (draw.number(1, 90) for _ in range(3))
    out = draw.array(rows, columns)
    ops.add_product(draw.array(rows, inner), draw.array(columns, inner).T, out)
    return (out,)


def max_pooling(ops, draw):
    window, x, grad = draw.pooling()
    out, mask, back, scattered = np.full_like(grad, 7), np.full_like(grad, 7), np.full_like(x, 7), np.full_like(x, 7)
    ops.max_pool(x, out, window)
    ops.max_pool_mask(x, mask, window)
    ops.max_pool_backward(x, None, grad, back, window)
    ops.max_pool_backward(x, mask, grad, scattered, window)
    return out, mask, back, scattered


def average_pooling(ops, draw):
    window, x, grad = draw.pooling()
    out, back = np.full_like(grad, 7), np.full_like(x, 7)
    with np.errstate(all="ignore"):
        ops.ave_pool(x, out, window)
        ops.ave_pool_backward(grad, back, window)
    return out, back


def unpooling(ops, draw):
    window, x, grad = draw.pooling()
    mask, large, back = np.empty_like(grad), np.full_like(x, 7), np.full_like(grad, 7)
    ReferenceOps().max_pool_mask(x, mask, window)
    done = ops.unpool(grad, mask, large), ops.unpool_backward(draw.array(*x.shape), mask, back)
    return (np.array(done), *((large,) if done[0] else ()), *((back,) if done[1] else ()))


def relu(ops, draw):
    x, grad, slope = draw.ties(draw.number(1, 70_000)), None, draw.random.choice([0, 0.1, -0.5])
    grad, out, back, in_place = draw.array(*x.shape), np.full_like(x, 7), np.full_like(x, 7), x.copy()
    ops.relu(x, out, slope)
    ops.relu_backward(x, grad, back, slope)
    ops.relu(in_place, in_place, slope)
    return out, back, in_place


def lrn(ops, draw):
    x = draw.array(draw.number(1, 3), draw.number(1, 9), draw.number(1, 300))
    response, out, back = Response(draw.number(0, 4) * 2 + 1, 0.3, 0.75), np.full_like(x, 7), np.full_like(x, 7)
    ops.lrn_across(x, out, response)
    ops.lrn_across_backward(x, draw.array(*x.shape), back, response)
    return out, back


def softmax(ops, draw):
    x = 4 * draw.array(draw.number(1, 5), draw.number(1, 25), draw.number(1, 400))
    labels = draw.random.integers(-1, x.shape[1], (x.shape[0], x.shape[2]))
    out, back, loss_back = (np.full_like(x, 7) for _ in range(3))
    ops.softmax(x, out)
    ops.softmax_backward(out, draw.array(*x.shape), back)
    ops.softmax_loss_backward(x, labels, 0.5, loss_back)
    return out, back, loss_back, np.array(ops.softmax_loss(x, labels))


@pytest.mark.parametrize("operation", [convolution, deconvolution, columns, product, max_pooling, average_pooling,
                                       unpooling, relu, lrn, softmax], ids=lambda operation: operation.__name__)
def test_fast_and_reference_agree(operation):
    for seed in range(SHAPES):
        want, got = (operation(ops, Draw(seed)) for ops in (ReferenceOps(), cpu_ops()))
        for index, (right, value) in enumerate(zip(want, got, strict=True)):
            largest = np.abs(right[np.isfinite(right)]).max(initial=1)
            np.testing.assert_allclose(value, right, rtol=0, atol=WHOLE * largest, err_msg=f"{seed=} {index=}")
