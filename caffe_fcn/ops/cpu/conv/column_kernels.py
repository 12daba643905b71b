"""Numba kernels between images and columns of kernel windows. Imported on first use, since numba takes its time."""

from __future__ import annotations

from typing import Any

from ..jit import njit

# Slices of rows in the inner loops let the compiler see that no index is negative, so that it can vectorise them.


@njit(cache=True, nogil=True, inline="always")
def valid(tap: int, stride: int, pad: int, dilation: int, size: int, start: int, stop: int) -> Any:
    """The outputs within start ... stop whose input for a tap is inside: (first, last + 1, input of output 0)."""
    offset = tap * dilation - pad
    first = max(start, -(offset // stride))  # the least y with y * stride + offset >= 0
    last = min(stop, (size - 1 - offset) // stride + 1)
    return min(first, stop), max(last, min(first, stop)), offset


@njit(cache=True, nogil=True)
def gather(target: Any, source: Any, stride: int) -> None:
    """Copy every stride-th value of source to target."""
    if stride == 1:
        for n in range(len(target)):
            target[n] = source[n]
    else:
        for n in range(len(target)):
            target[n] = source[n * stride]


@njit(cache=True, nogil=True)
def scatter(target: Any, source: Any, factor: Any, stride: int) -> None:
    """Add all of source times factor to every stride-th value of target."""
    if stride == 1:
        for n in range(len(source)):
            target[n] += factor * source[n]
    else:
        for n in range(len(source)):
            target[n * stride] += factor * source[n]


@njit(cache=True, nogil=True)
def im2col(first: int, last: int, x: Any, columns: Any, start: int,
           kernel: Any, stride: Any, pad: Any, dilation: Any, out: Any) -> None:
    """Write the windows of the channels first ... last of x (C, D, H, W) to columns (C * taps, pixels).

    The first column is output pixel `start`, in row-major order over `out`.
    """
    depth, height, width = x.shape[1:]
    total = columns.shape[1]
    row = first * kernel[0] * kernel[1] * kernel[2]
    for channel in range(first, last):
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                for k in range(kernel[2]):
                    target = columns[row]
                    row += 1
                    at = 0
                    while at < total:  # one output row, or the part of it that is in this block
                        line, left = divmod(start + at, out[2])
                        right = min(out[2], left + total - at)
                        z = line // out[1] * stride[0] - pad[0] + i * dilation[0]
                        y = line % out[1] * stride[1] - pad[1] + j * dilation[1]
                        part = target[at:at + right - left]
                        at += right - left
                        if z < 0 or z >= depth or y < 0 or y >= height:
                            part[:] = 0
                            continue
                        low, high, offset = valid(k, stride[2], pad[2], dilation[2], width, left, right)
                        part[:low - left] = 0
                        part[high - left:] = 0
                        if high > low:
                            gather(part[low - left:high - left], x[channel, z, y, low * stride[2] + offset:], stride[2])


@njit(cache=True, nogil=True)
def col2im(first: int, last: int, x: Any, columns: Any, start: int,
           kernel: Any, stride: Any, pad: Any, dilation: Any, out: Any) -> None:
    """Add columns (C * taps, pixels) to the places in x (C, D, H, W) that im2col takes them from."""
    depth, height, width = x.shape[1:]
    total = columns.shape[1]
    row = first * kernel[0] * kernel[1] * kernel[2]
    for channel in range(first, last):
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                for k in range(kernel[2]):
                    source = columns[row]
                    row += 1
                    at = 0
                    while at < total:
                        line, left = divmod(start + at, out[2])
                        right = min(out[2], left + total - at)
                        z = line // out[1] * stride[0] - pad[0] + i * dilation[0]
                        y = line % out[1] * stride[1] - pad[1] + j * dilation[1]
                        low, high, offset = valid(k, stride[2], pad[2], dilation[2], width, left, right)
                        if 0 <= z < depth and 0 <= y < height and high > low:
                            scatter(x[channel, z, y, low * stride[2] + offset:],
                                    source[at + low - left:at + high - left], x.dtype.type(1), stride[2])
                        at += right - left
