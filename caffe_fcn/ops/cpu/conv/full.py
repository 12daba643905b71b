"""Kernels that cover the whole input, so that there is one output pixel: one product over the batch.

This is InnerProduct in the form of a convolution, and the convolution without spatial axes.
"""

from __future__ import annotations

import numpy as np

from ...reference.convolution import Geometry
from ..product import share


def fits(x: tuple[int, ...], out: tuple[int, ...], geometry: Geometry) -> bool:
    """Is the kernel the input, value by value?"""
    return geometry.kernel == x[2:] == geometry.extent and not any(geometry.pad) and set(out[2:]) <= {1}


def _by_group(array: np.ndarray, group: int) -> np.ndarray:
    """View (N, ...) as (G, N, rest / G)."""
    size = array.size // max(1, array.shape[0] * group)
    return array.reshape(array.shape[0], group, size).transpose(1, 0, 2)


def _weights(weight: np.ndarray, group: int) -> np.ndarray:
    """View (O, C/G, *kernel) as (G, O/G, K)."""
    outputs = weight.shape[0] // group
    return weight.reshape(group, outputs, weight.size // weight.shape[0])


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, out: np.ndarray, geometry: Geometry) -> None:
    """Write the convolution."""
    group = geometry.group
    if x.size:
        np.matmul(_by_group(x, group), _weights(weight, group).swapaxes(1, 2), out=_by_group(out, group))
    if bias is not None:
        flat = out.reshape(out.shape[:2])
        flat += bias


def backward_data(grad_out: np.ndarray, weight: np.ndarray, grad_x: np.ndarray, geometry: Geometry) -> None:
    """Write the gradient of the input."""
    group = geometry.group
    if grad_x.size:
        np.matmul(_by_group(grad_out, group), _weights(weight, group), out=_by_group(grad_x, group))


def backward_weight(x: np.ndarray, grad_out: np.ndarray, grad_weight: np.ndarray, geometry: Geometry) -> None:
    """Add the gradient of the weight."""
    group = geometry.group
    if x.size:
        for grads, values, total in zip(_by_group(grad_out, group), _by_group(x, group),
                                        _weights(grad_weight, group), strict=True):
            share(grads.T, values, total, add=True)
