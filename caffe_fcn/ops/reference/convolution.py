"""Reference operations: convolution over any number of spatial axes, one kernel tap at a time.

Shapes in this family: x (N, C, *in), weight (O, C/group, *kernel), out (N, O, *out). Along each spatial axis
``out[y] = sum_t weight[t] * x[y * stride - pad + t * dilation]``; what lies outside x reads 0.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Geometry(NamedTuple):
    """How a kernel moves over the spatial axes: one number per axis, and the number of channel groups.

    `plain` asks for the sums of the definition, though an algorithm that adds differently would be faster.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    group: int = 1
    plain: bool = False

    @property
    def taps(self) -> int:
        """Values in one kernel window."""
        return math.prod(self.kernel)

    @property
    def extent(self) -> tuple[int, ...]:
        """Input pixels from the first tap to the last one, per axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def out_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Output sizes of a convolution. The division truncates toward zero, as in C: a kernel that is larger than
        the padded input by less than the stride still has one output, its missing taps reading 0.
        """
        rooms = (n + 2 * p - e for n, p, e in zip(sizes, self.pad, self.extent, strict=True))
        return tuple((room // s if room >= 0 else -(-room // s)) + 1
                     for room, s in zip(rooms, self.stride, strict=True))

    def in_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Output sizes of a deconvolution, which is a convolution run from its output to its input."""
        return tuple(s * (n - 1) + e - 2 * p
                     for n, s, e, p in zip(sizes, self.stride, self.extent, self.pad, strict=True))

    def windows(self, out: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
        """Every tap with the slices of the padded input that it meets, for an output of these sizes."""
        for tap in itertools.product(*map(range, self.kernel)):
            starts = [t * d for t, d in zip(tap, self.dilation, strict=True)]
            yield tap, tuple(slice(a, a + (n - 1) * s + 1, s)
                             for a, n, s in zip(starts, out, self.stride, strict=True))

    def padded(self, sizes: Sequence[int], out: Sequence[int]) -> tuple[int, ...]:
        """Sizes of an input that is padded so that every window lies inside."""
        return tuple(max(n + 2 * p, (o - 1) * s + e) for n, o, s, p, e in
                     zip(sizes, out, self.stride, self.pad, self.extent, strict=True))

    def inside(self, sizes: Sequence[int]) -> tuple[slice, ...]:
        """Where the input lies in the padded input."""
        return tuple(slice(p, p + n) for n, p in zip(sizes, self.pad, strict=True))


def spread(bias: Any, axes: int) -> Any:
    """View a bias (O,) so that it broadcasts over (N, O, *out) of this many axes."""
    return bias.reshape(-1, *(1,) * (axes - 2))


class ConvolutionOps:
    """Mixed into ReferenceOps. All arrays are C-contiguous; none may overlap."""

    xp: Any
    relu: Any  # of ElementwiseOps

    def convolution(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the convolution of x (N, C, *in) with weight (O, C/group, *kernel), plus bias (O,), to out."""
        padded = self._pad(x, out.shape[2:], geometry)
        weights = self._by_group(weight, geometry)
        result = self._groups(out, geometry)
        result[...] = 0
        for tap, window in geometry.windows(out.shape[2:]):
            result += weights[(..., *tap)] @ self._groups(padded[(..., *window)], geometry)
        if bias is not None:
            out += spread(bias, out.ndim)

    def convolution_relu(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the convolution to out, 0 where that is negative: the bits that `convolution` and `relu` give."""
        self.convolution(x, weight, bias, out, geometry)
        self.relu(out, out, 0.0)

    def convolution_backward_data(self, grad_out: Any, weight: Any, grad_x: Any, geometry: Geometry) -> None:
        """Write the gradient (N, C, *in) of the convolution's input, given that of its output."""
        out = grad_out.shape[2:]
        padded = self.xp.zeros(grad_x.shape[:2] + geometry.padded(grad_x.shape[2:], out), grad_x.dtype)
        weights = self._by_group(weight, geometry)
        grads = self._groups(grad_out, geometry)
        for tap, window in geometry.windows(out):
            part = self.xp.swapaxes(weights[(..., *tap)], 1, 2) @ grads  # (N, G, C/G, P)
            padded[(..., *window)] += part.reshape(grad_x.shape[:2] + out)
        grad_x[...] = padded[(..., *geometry.inside(grad_x.shape[2:]))]

    def convolution_backward_weight(self, x: Any, grad_out: Any, grad_weight: Any, geometry: Geometry) -> None:
        """Add the gradient of the convolution's weight, given its input and the gradient of its output."""
        out = grad_out.shape[2:]
        padded = self._pad(x, out, geometry)
        totals = self._by_group(grad_weight, geometry)
        grads = self._groups(grad_out, geometry)
        for tap, window in geometry.windows(out):
            part = grads @ self.xp.swapaxes(self._groups(padded[(..., *window)], geometry), 2, 3)
            totals[(..., *tap)] += part.sum(axis=0)  # (G, O/G, C/G)

    def bias_gradient(self, grad_out: Any, grad_bias: Any) -> None:
        """Add the gradient of a bias (O,), given that of the output (N, O, *out)."""
        grad_bias += grad_out.reshape(*grad_out.shape[:2], math.prod(grad_out.shape[2:])).sum(axis=(0, 2))

    def deconvolution(self, x: Any, weight: Any, bias: Any | None, out: Any, geometry: Geometry) -> None:
        """Write the transposed convolution of x (N, C, *in) with weight (C, O/group, *kernel), plus bias (O,)."""
        self.convolution_backward_data(x, weight, out, geometry)
        if bias is not None:
            out += spread(bias, out.ndim)

    def im2col(self, x: Any, columns: Any, geometry: Geometry) -> None:
        """Write every kernel window of x (N, C, *in) to columns (N, C * taps, *out), taps in row-major order."""
        out = columns.shape[2:]
        padded = self._pad(x, out, geometry)
        result = columns.reshape(*x.shape[:2], *geometry.kernel, *out)
        for tap, window in geometry.windows(out):
            result[(slice(None), slice(None), *tap)] = padded[(..., *window)]

    def col2im(self, columns: Any, x: Any, geometry: Geometry) -> None:
        """Write to each value of x (N, C, *in) the sum of the columns that im2col would copy it to."""
        out = columns.shape[2:]
        padded = self.xp.zeros(x.shape[:2] + geometry.padded(x.shape[2:], out), x.dtype)
        parts = columns.reshape(*x.shape[:2], *geometry.kernel, *out)
        for tap, window in geometry.windows(out):
            padded[(..., *window)] += parts[(slice(None), slice(None), *tap)]
        x[...] = padded[(..., *geometry.inside(x.shape[2:]))]

    def product(self, a: Any, b: Any, out: Any) -> None:
        """Write the matrix product of a (M, K) and b (K, N) to out (M, N)."""
        self.xp.matmul(a, b, out=out)

    def add_product(self, a: Any, b: Any, out: Any) -> None:
        """Add the matrix product of a (M, K) and b (K, N) to out (M, N)."""
        out += a @ b

    # views

    def _pad(self, x: Any, out: Sequence[int], geometry: Geometry) -> Any:
        padded = self.xp.zeros(x.shape[:2] + geometry.padded(x.shape[2:], out), x.dtype)
        padded[(..., *geometry.inside(x.shape[2:]))] = x
        return padded

    @staticmethod
    def _by_group(weight: Any, geometry: Geometry) -> Any:
        """View a weight as (G, O/G, C/G, *kernel)."""
        return weight.reshape(geometry.group, weight.shape[0] // geometry.group, *weight.shape[1:])

    @staticmethod
    def _groups(x: Any, geometry: Geometry) -> Any:
        """View (or copy) channels and pixels as (N, G, C/G, P)."""
        group, pixels = geometry.group, math.prod(x.shape[2:])
        return x.reshape(x.shape[0], group, x.shape[1] // group, pixels)
