"""Numba kernels of convolutions within single channels. Imported on first use, since numba takes its time.

All take planes: x (N * C, H, W), weight (C * M, kh, kw), out (N * C * M, oh, ow), where the M planes from c * M on
belong to channel c.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit import njit
from ..simd import WIDTH, load, splat, store
from .column_kernels import scatter, valid


@njit(cache=True, nogil=True)
def _add(target: Any, source: Any, factor: Any, stride: int) -> None:
    """Add every stride-th value of source times factor to target."""
    if stride == 1:
        for n in range(len(target)):
            target[n] += factor * source[n]
    else:
        for n in range(len(target)):
            target[n] += factor * source[n * stride]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})  # or a sum could not be vectorised
def _dot(a: Any, b: Any, stride: int) -> Any:
    """The sum of all of a times every stride-th value of b."""
    total = a.dtype.type(0)
    if stride == 1:
        for n in range(len(a)):
            total += a[n] * b[n]
    else:
        for n in range(len(a)):
            total += a[n] * b[n * stride]
    return total


@njit(cache=True, nogil=True)
def convolve(first: int, last: int, x: Any, weight: Any, bias: Any, out: Any, channels: int,
             stride: Any, pad: Any, dilation: Any) -> None:
    """Write the planes first ... last of out."""
    outputs, height, width = weight.shape[0], x.shape[1], x.shape[2]
    for plane in range(first, last):
        output = plane % outputs
        source = x[plane // outputs * channels + output // (outputs // channels)]
        for row in range(out.shape[1]):
            target = out[plane, row]
            target[:] = bias[output]
            for i in range(weight.shape[1]):
                y = row * stride[0] - pad[0] + i * dilation[0]
                if y < 0 or y >= height:
                    continue
                for j in range(weight.shape[2]):
                    low, high, offset = valid(j, stride[1], pad[1], dilation[1], width, 0, len(target))
                    if high > low:
                        _add(target[low:high], source[y, low * stride[1] + offset:], weight[output, i, j], stride[1])


@njit(cache=True, nogil=True)
def spread_back(first: int, last: int, grads: Any, weight: Any, x: Any, channels: int,
                stride: Any, pad: Any, dilation: Any) -> None:
    """Write the gradients of the planes first ... last of x."""
    outputs, height, width = weight.shape[0], x.shape[1], x.shape[2]
    multiple = outputs // channels
    for plane in range(first, last):
        target = x[plane]
        target[:] = 0
        for output in range(plane % channels * multiple, (plane % channels + 1) * multiple):
            source = grads[plane // channels * outputs + output]
            for row in range(len(source)):
                for i in range(weight.shape[1]):
                    y = row * stride[0] - pad[0] + i * dilation[0]
                    if y < 0 or y >= height:
                        continue
                    for j in range(weight.shape[2]):
                        low, high, offset = valid(j, stride[1], pad[1], dilation[1], width, 0, source.shape[1])
                        if high > low:
                            scatter(target[y, low * stride[1] + offset:], source[row, low:high],
                                    weight[output, i, j], stride[1])


@njit(cache=True, nogil=True)
def spread_rows(first: int, last: int, grads: Any, weight: Any, x: Any, channels: int, stride: Any, pad: Any) -> None:
    """As `spread_back`, for float32, dilation 1 and rows of kernels that are whole vectors, as in upsampling by 8."""
    outputs, height, width, reach = weight.shape[0], x.shape[1], x.shape[2], weight.shape[2]
    multiple = outputs // channels
    for plane in range(first, last):
        x[plane] = 0
        for output in range(plane % channels * multiple, (plane % channels + 1) * multiple):
            source = grads[plane // channels * outputs + output]
            for row in range(len(source)):
                for i in range(weight.shape[1]):
                    y = row * stride[0] - pad[0] + i
                    if y < 0 or y >= height:
                        continue
                    for n in range(source.shape[1]):
                        start = n * stride[1] - pad[1]
                        if 0 <= start <= width - reach:
                            factor = splat(source[row, n])
                            for j in range(0, reach, WIDTH):
                                at = (plane * height + y) * width + start + j
                                taps = load(weight, (output * weight.shape[1] + i) * reach + j)
                                store(x, at, load(x, at) + factor * taps)
                        else:
                            for j in range(max(0, -start), min(reach, width - start)):
                                x[plane, y, start + j] += source[row, n] * weight[output, i, j]


@njit(cache=True, nogil=True)
def correlate(first: int, last: int, x: Any, grads: Any, weight: Any, channels: int,
              stride: Any, pad: Any, dilation: Any) -> None:
    """Add the gradients of the planes first ... last of weight."""
    outputs, height, width = weight.shape[0], x.shape[1], x.shape[2]
    totals = np.zeros(weight.shape[1:], np.float64)
    for output in range(first, last):
        totals[:] = 0
        for image in range(len(grads) // outputs):
            source = x[image * channels + output // (outputs // channels)]
            plane = grads[image * outputs + output]
            for row in range(len(plane)):
                for i in range(weight.shape[1]):
                    y = row * stride[0] - pad[0] + i * dilation[0]
                    if y < 0 or y >= height:
                        continue
                    for j in range(weight.shape[2]):
                        low, high, offset = valid(j, stride[1], pad[1], dilation[1], width, 0, plane.shape[1])
                        if high > low:
                            totals[i, j] += _dot(plane[row, low:high], source[y, low * stride[1] + offset:], stride[1])
        for i in range(weight.shape[1]):
            for j in range(weight.shape[2]):
                weight[output, i, j] += totals[i, j]
