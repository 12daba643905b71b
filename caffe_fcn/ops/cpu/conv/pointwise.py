"""1x1 kernels with stride 1 and no padding: products of the weight with the image as it lies in memory."""

from __future__ import annotations

import math

import numpy as np

from ...reference.convolution import Geometry, spread
from ..product import share


def fits(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> bool:
    """Is every output pixel a function of the input pixel in the same place?"""
    return geometry.taps == 1 and set(geometry.stride) <= {1} and not any(geometry.pad)


def _pixels(x: np.ndarray, group: int) -> np.ndarray:
    """View (N, C, *sizes) as (N, G, C/G, P)."""
    return x.reshape(x.shape[0], group, x.shape[1] // group, math.prod(x.shape[2:]))


def _weights(weight: np.ndarray, group: int) -> np.ndarray:
    """View (O, C/G, 1 ...) as (G, O/G, C/G)."""
    return weight.reshape(group, weight.shape[0] // group, weight.shape[1])


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry) -> None:
    """Write the convolution."""
    group = geometry.group
    weights = _weights(weight, group)
    for image, result in zip(_pixels(x, group), _pixels(out, group), strict=True):
        for index in range(group):
            share(weights[index], image[index], result[index])
    if bias is not None:
        out += spread(bias, out.ndim)


def backward_data(grad_out: np.ndarray, weight: np.ndarray, grad_x: np.ndarray, geometry: Geometry) -> None:
    """Write the gradient of the input."""
    group = geometry.group
    weights = _weights(weight, group)
    for grads, result in zip(_pixels(grad_out, group), _pixels(grad_x, group), strict=True):
        for index in range(group):
            share(weights[index].T, grads[index], result[index])


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight."""
    group = geometry.group
    totals = _weights(grad_weight, group)
    for grads, values in zip(_pixels(grad_out, group), _pixels(x, group), strict=True):
        for index in range(group):
            share(grads[index], values[index].T, totals[index], add=True)
