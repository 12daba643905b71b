"""Compiled pooling kernels. Each works on the planes first ... last of (planes, height, width) arrays."""

import numpy as np

from ..reference.pooling import LOWEST
from .jit import njit


@njit(nogil=True)
def _larger(line, row, offset, step):
    """line = the larger of line and every step-th value of row from `offset` on; a NaN of row is never larger."""
    if step == 1:
        for n in range(len(line)):
            value = row[offset + n]
            line[n] = value if value > line[n] else line[n]
    elif step == 2:
        for n in range(len(line)):
            value = row[offset + 2 * n]
            line[n] = value if value > line[n] else line[n]
    else:
        for n in range(len(line)):
            value = row[offset + step * n]
            line[n] = value if value > line[n] else line[n]


@njit(cache=True, nogil=True)
def max_pool(first, last, x, out, kernel, stride, pad):
    """out = the largest value of each window: rows first, then columns, which the compiler turns into vector code."""
    height, width = x.shape[1:]
    least = x.dtype.type(LOWEST)
    line = np.empty(width, x.dtype)
    for plane in range(first, last):
        for oh in range(out.shape[1]):
            top = oh * stride[0] - pad[0]
            line[:] = least
            for h in range(max(top, 0), min(top + kernel[0], height)):
                _larger(line, x[plane, h], 0, 1)
            target = out[plane, oh]
            target[:] = least
            for tap in range(kernel[1]):
                offset = tap - pad[1]  # of the input for output 0
                low = max(0, -(offset // stride[1]))
                high = min(len(target), (width - 1 - offset) // stride[1] + 1)
                if high > low:
                    _larger(target[low:high], line, offset + low * stride[1], stride[1])


@njit(cache=True, nogil=True)
def max_pool_same(first, last, x, out, kernel, pad):
    """max_pool with stride 1 and outputs of the input's size: whole planes at a time, as if rows were joined.

    Windows that reach over the end of a row are made once more, by themselves.
    """
    height, width = x.shape[1:]
    size = height * width
    least = x.dtype.type(LOWEST)
    tall = np.empty(size, x.dtype)  # the largest of each column of a window
    for plane in range(first, last):
        source, target = x[plane].reshape(-1), out[plane].reshape(-1)
        tall[:] = least
        for tap in range(kernel[0]):
            offset = (tap - pad[0]) * width
            low, high = min(max(0, -offset), size), max(min(size, size - offset), 0)
            if high > low:
                _larger(tall[low:high], source, offset + low, 1)
        target[:] = least
        for tap in range(kernel[1]):
            offset = tap - pad[1]
            low, high = min(max(0, -offset), size), max(min(size, size - offset), 0)
            if high > low:
                _larger(target[low:high], tall, offset + low, 1)
        for w in range(width):
            left, right = w - pad[1], w - pad[1] + kernel[1]
            if left >= 0 and right <= width:
                continue
            for h in range(height):
                best = least
                for at in range(h * width + max(left, 0), h * width + min(right, width)):
                    best = tall[at] if tall[at] > best else best
                target[h * width + w] = best


@njit(nogil=True, inline="always")
def _largest(image, top, bottom, left, right):
    """The flat index of the first largest value of a window, -1 for none."""
    best = image.dtype.type(LOWEST)
    index = -1
    for h in range(top, bottom):
        for w in range(left, right):
            value = image[h, w]
            index = h * image.shape[1] + w if value > best else index
            best = value if value > best else best
    return index


@njit(cache=True, nogil=True)
def max_pool_mask(first, last, x, mask, kernel, stride, pad):
    """mask = the flat index of the largest value of each window in its plane, -1 for none."""
    height, width = x.shape[1:]
    for plane in range(first, last):
        for oh in range(mask.shape[1]):
            top = oh * stride[0] - pad[0]
            bottom, top = min(top + kernel[0], height), max(top, 0)
            for ow in range(mask.shape[2]):
                left = ow * stride[1] - pad[1]
                right, left = min(left + kernel[1], width), max(left, 0)
                mask[plane, oh, ow] = _largest(x[plane], top, bottom, left, right)


@njit(cache=True, nogil=True)
def max_pool_backward(first, last, x, grad_out, grad_x, kernel, stride, pad):
    """grad_x = 0, then each gradient added to the largest value of its window."""
    height, width = x.shape[1:]
    for plane in range(first, last):
        target = grad_x[plane].reshape(-1)
        target[:] = 0
        for oh in range(grad_out.shape[1]):
            top = oh * stride[0] - pad[0]
            bottom, top = min(top + kernel[0], height), max(top, 0)
            for ow in range(grad_out.shape[2]):
                left = ow * stride[1] - pad[1]
                right, left = min(left + kernel[1], width), max(left, 0)
                index = _largest(x[plane], top, bottom, left, right)
                if index >= 0:
                    target[index] += grad_out[plane, oh, ow]


@njit(nogil=True)
def _pairs_backward(above, below, grad, grad_above, grad_below):
    """For 2 x 2 windows side by side in the rows above and below: each gradient to the first largest value, else 0.

    A window without any value above the least one gives its gradient to none.
    """
    zero, least = grad.dtype.type(0), above.dtype.type(LOWEST)
    kind = grad.dtype.type
    first, second, third, fourth = kind(1), kind(2), kind(3), kind(4)
    for n in range(len(grad)):  # selections of numbers only, which become vector code
        a, b, c, d = above[2 * n], above[2 * n + 1], below[2 * n], below[2 * n + 1]
        winner, best = first if a > least else zero, a if a > least else least
        winner, best = second if b > best else winner, b if b > best else best
        winner, best = third if c > best else winner, c if c > best else best
        winner = fourth if d > best else winner
        value = zero + grad[n]
        grad_above[2 * n] = value if winner == first else zero
        grad_above[2 * n + 1] = value if winner == second else zero
        grad_below[2 * n] = value if winner == third else zero
        grad_below[2 * n + 1] = value if winner == fourth else zero


@njit(cache=True, nogil=True)
def max_pool_backward_pairs(first, last, x, grad_out, grad_x):
    """max_pool_backward for 2 x 2 windows side by side that cover all of x, in one pass of vector code."""
    height, width = x.shape[1:]
    for plane in range(first, last):
        image, target = x[plane], grad_x[plane]
        for oh in range(height // 2):
            above, below = image[2 * oh], image[2 * oh + 1]
            _pairs_backward(above, below, grad_out[plane, oh, :width // 2], target[2 * oh], target[2 * oh + 1])
        for h in range(height // 2 * 2, height):
            target[h] = 0
        if width % 2:
            target[:, width - 1] = 0
        for oh in range(grad_out.shape[1]):  # windows that are cut off: the last row and the last column of them
            whole = width // 2 if 2 * oh + 2 <= height else 0
            for ow in range(whole, grad_out.shape[2]):
                index = _largest(image, 2 * oh, min(2 * oh + 2, height), 2 * ow, min(2 * ow + 2, width))
                if index >= 0:
                    target[index // width, index % width] += grad_out[plane, oh, ow]


@njit(cache=True, nogil=True)
def scatter(first, last, mask, grad_out, grad_x):
    """grad_x = 0, then each gradient added where its mask says."""
    width = grad_x.shape[2]
    size = grad_x.shape[1] * width
    for plane in range(first, last):
        grad_x[plane] = 0
        for oh in range(mask.shape[1]):
            for ow in range(mask.shape[2]):
                index = np.int64(mask[plane, oh, ow])
                if 0 <= index < size:
                    grad_x[plane, index // width, index % width] += grad_out[plane, oh, ow]


@njit(cache=True, nogil=True)
def ave_pool(first, last, x, out, kernel, stride, pad):
    """out = the sum of each window divided by its area, which counts the padding."""
    height, width = x.shape[1:]
    for plane in range(first, last):
        for oh in range(out.shape[1]):
            top = oh * stride[0] - pad[0]
            bottom = min(top + kernel[0], height + pad[0])
            for ow in range(out.shape[2]):
                left = ow * stride[1] - pad[1]
                right = min(left + kernel[1], width + pad[1])
                total = x.dtype.type(0)
                for h in range(max(top, 0), min(bottom, height)):
                    for w in range(max(left, 0), min(right, width)):
                        total += x[plane, h, w]
                area = (bottom - top) * (right - left)
                out[plane, oh, ow] = total / x.dtype.type(area) if area else np.nan


@njit(cache=True, nogil=True)
def ave_pool_backward(first, last, grad_out, grad_x, kernel, stride, pad):
    """grad_x = 0, then each gradient divided by the area of its window added all over it."""
    height, width = grad_x.shape[1:]
    for plane in range(first, last):
        grad_x[plane] = 0
        for oh in range(grad_out.shape[1]):
            top = oh * stride[0] - pad[0]
            bottom = min(top + kernel[0], height + pad[0])
            for ow in range(grad_out.shape[2]):
                left = ow * stride[1] - pad[1]
                right = min(left + kernel[1], width + pad[1])
                area = (bottom - top) * (right - left)
                if area:
                    share = grad_out[plane, oh, ow] / grad_out.dtype.type(area)
                    for h in range(max(top, 0), min(bottom, height)):
                        for w in range(max(left, 0), min(right, width)):
                            grad_x[plane, h, w] += share
