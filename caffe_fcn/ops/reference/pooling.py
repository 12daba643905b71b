"""Reference operations: pooling over two spatial axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

LOWEST = -float(np.finfo(np.float32).max)  # what a maximum starts from, for every dtype, as in Caffe


class Window(NamedTuple):
    """The geometry of a pooling: each a pair (height, width)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]


def areas(size: int, count: int, axis: int, window: Window, xp: Any) -> Any:
    """Lengths of the `count` windows along one spatial axis, cut at size + pad: the padding counts, what is
    beyond does not. Zero or negative for windows that start beyond it."""
    kernel, stride, pad = (pair[axis] for pair in window)
    start = xp.arange(count) * stride - pad
    return xp.minimum(start + kernel, size + pad) - start


class PoolingOps:
    """Mixed into ReferenceOps. x is (N, C, H, W), out is (N, C, h, w)."""

    xp: Any

    def _padded(self, x: Any, out_shape: tuple[int, ...], window: Window, fill: float) -> Any:
        """x with `fill` around it, large enough for every window."""
        after = [max(0, (count - 1) * stride + kernel - pad - size) for count, kernel, stride, pad, size
                 in zip(out_shape[2:], *window, x.shape[2:], strict=True)]
        around = [(pad, end) for pad, end in zip(window.pad, after, strict=True)]
        return self.xp.pad(x, [(0, 0), (0, 0), *around], constant_values=fill)

    def _taps(self, padded: Any, out_shape: tuple[int, ...], window: Window) -> Iterator[tuple[int, int, Any]]:
        """For each kernel position (i, j): the view of what it meets in every window, (N, C, h, w)."""
        (height, width), (down, right) = out_shape[2:], window.stride
        for i in range(window.kernel[0]):
            for j in range(window.kernel[1]):
                yield i, j, padded[:, :, i: i + height * down: down, j: j + width * right: right][
                    :, :, :height, :width]

    def max_pool(self, x: Any, out: Any, window: Window) -> None:
        """The largest value of each window; LOWEST where there is none above it."""
        out[...] = LOWEST
        for _, _, tap in self._taps(self._padded(x, out.shape, window, LOWEST), out.shape, window):
            self.xp.copyto(out, tap, where=tap > out)  # not maximum: NaN never wins

    def max_pool_mask(self, x: Any, mask: Any, window: Window) -> None:
        """Where each maximum is, as flat index in its H x W plane: the first of equals, -1 for none."""
        xp = self.xp
        best = xp.full(mask.shape, LOWEST, x.dtype)
        mask[...] = -1
        top = xp.arange(mask.shape[2])[:, None] * window.stride[0] - window.pad[0]
        left = xp.arange(mask.shape[3]) * window.stride[1] - window.pad[1]
        for i, j, tap in self._taps(self._padded(x, mask.shape, window, LOWEST), mask.shape, window):
            better = tap > best
            xp.copyto(best, tap, where=better)
            xp.copyto(mask, ((top + i) * x.shape[3] + left + j).astype(mask.dtype), where=better)

    def max_pool_backward(self, x: Any, mask: Any | None, grad_out: Any, grad_x: Any, window: Window) -> None:
        """Give each gradient to the maximum it comes from; without a mask that is found again in x.

        grad_x is overwritten. Entries of the mask outside the plane are left out.
        """
        xp = self.xp
        if mask is None:
            mask = xp.empty(grad_out.shape, np.int32)
            self.max_pool_mask(x, mask, window)
        batch, channels, height, width = x.shape
        index = mask.astype(np.int64)
        inside = (index >= 0) & (index < height * width)
        index += xp.arange(batch * channels).reshape(batch, channels, 1, 1) * (height * width)
        grad_x[...] = 0
        xp.add.at(grad_x.reshape(-1), index[inside], grad_out[inside])

    def ave_pool(self, x: Any, out: Any, window: Window) -> None:
        """The sum of each window divided by its area (see `areas`)."""
        out[...] = 0
        for _, _, tap in self._taps(self._padded(x, out.shape, window, 0), out.shape, window):
            out += tap
        with np.errstate(divide="ignore", invalid="ignore"):  # an empty window gives 0 / 0, as in Caffe
            out /= self._area(x, out, window)

    def ave_pool_backward(self, grad_out: Any, grad_x: Any, window: Window) -> None:
        """Spread each gradient evenly over its window; grad_x is overwritten."""
        grad_x[...] = 0
        padded = self._padded(grad_x, grad_out.shape, window, 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = grad_out / self._area(grad_x, grad_out, window)
        for _, _, tap in self._taps(padded, grad_out.shape, window):
            tap += share
        (top, left), (height, width) = window.pad, grad_x.shape[2:]
        grad_x[...] = padded[:, :, top: top + height, left: left + width]

    def _area(self, x: Any, out: Any, window: Window) -> Any:
        height, width = (areas(x.shape[2 + axis], out.shape[2 + axis], axis, window, self.xp) for axis in (0, 1))
        return (height[:, None] * width).astype(out.dtype)

    def stochastic_pool(self, x: Any, chance: Any, out: Any, mask: Any, window: Window) -> None:
        """Draw one value of each window with probability proportional to it (Zeiler and Fergus 2013).

        chance: uniform numbers in [0, 1), shaped as out. mask: gets the flat index of what was drawn.
        Values must not be negative; of a window of zeros the first is drawn; there is no padding.
        """
        xp = self.xp
        padded = self._padded(x, out.shape, window, 0)
        taps = xp.stack([tap for _, _, tap in self._taps(padded, out.shape, window)])  # (taps, N, C, h, w)
        reached = xp.cumsum(taps, axis=0)
        drawn = (reached >= chance * reached[-1]).argmax(axis=0)
        out[...] = xp.take_along_axis(taps, drawn[None], 0)[0]
        row = drawn // window.kernel[1] + xp.arange(out.shape[2])[:, None] * window.stride[0]
        column = drawn % window.kernel[1] + xp.arange(out.shape[3]) * window.stride[1]
        inside = (row < x.shape[2]) & (column < x.shape[3])
        mask[...] = xp.where(inside, row * x.shape[3] + column, -1)

    def stochastic_pool_mean(self, x: Any, out: Any, window: Window) -> None:
        """The expected value of stochastic_pool: sum(x^2) / sum(x), 0 for a window of zeros."""
        total = self.xp.full(out.shape, np.finfo(np.float32).tiny, out.dtype)
        out[...] = 0
        for _, _, tap in self._taps(self._padded(x, out.shape, window, 0), out.shape, window):
            total += tap
            out += tap * tap
        out /= total
