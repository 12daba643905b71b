"""One input channel per group, as in bilinear upsampling: direct loops, since products would be of single rows."""

from __future__ import annotations

import numpy as np

from ...reference.convolution import Geometry
from .. import threads

MOST = 4  # outputs per input channel; with more of them columns pay off


def fits(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> bool:
    """Is every output a function of one channel, on one or two spatial axes?"""
    return x[1] == geometry.group and out[1] <= MOST * geometry.group and 1 <= len(x) - 2 <= 2


def _planes(x: np.ndarray) -> np.ndarray:
    """View (N, C, *sizes) or (O, 1, *kernel) as (planes, height, width)."""
    height = x.shape[2] if x.ndim == 4 else 1
    return x.reshape(x.shape[0] * x.shape[1], height, x.shape[-1])


def _steps(geometry: Geometry) -> tuple[tuple[int, int], ...]:
    """Stride, pad and dilation of two axes."""
    return tuple((fill, *values)[-2:] for values, fill in  # type: ignore[misc]
                 ((geometry.stride, 1), (geometry.pad, 0), (geometry.dilation, 1)))


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry) -> None:
    """Write the convolution."""
    from .depthwise_kernels import convolve

    biases = np.zeros(out.shape[1], out.dtype) if bias is None else bias
    target = _planes(out)
    threads.parallel(convolve, len(target), _planes(x), _planes(weight), biases, target, geometry.group,
                     *_steps(geometry))


def backward_data(grad_out: np.ndarray, weight: np.ndarray, grad_x: np.ndarray, geometry: Geometry) -> None:
    """Write the gradient of the input."""
    from ..simd import WIDTH
    from .depthwise_kernels import spread_back, spread_rows

    target, (stride, pad, dilation) = _planes(grad_x), _steps(geometry)
    arguments = _planes(grad_out), _planes(weight), target, geometry.group, stride, pad
    if grad_x.dtype == np.float32 and dilation[1] == 1 and dilation[0] == 1 and weight.shape[-1] % WIDTH == 0:
        threads.parallel(spread_rows, len(target), *arguments)
    else:
        threads.parallel(spread_back, len(target), *arguments, dilation)


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight."""
    from .depthwise_kernels import correlate

    target = _planes(grad_weight)
    threads.parallel(correlate, len(target), _planes(x), _planes(grad_out), target, geometry.group, *_steps(geometry))
