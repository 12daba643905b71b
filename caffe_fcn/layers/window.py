"""What Convolution, Deconvolution and Im2col read of a ConvolutionParameter: how the kernel moves."""

from __future__ import annotations

import math
from typing import Any

from ..errors import LayerError, ShapeError
from ..ops.reference.convolution import Geometry


def geometry(param: Any, axes: int, group: int = 1) -> Geometry:
    """The Geometry that a ConvolutionParameter means on this many spatial axes.

    Raises LayerError for fields that contradict each other and for numbers out of range.
    """
    return Geometry(
        _sizes(param, "kernel_size", ("kernel_h", "kernel_w"), axes, 0, least=1),
        _sizes(param, "stride", ("stride_h", "stride_w"), axes, 1, least=1),
        _sizes(param, "pad", ("pad_h", "pad_w"), axes, 0, least=0),
        _sizes(param, "dilation", (), axes, 1, least=0),
        group,
        param.engine == param.CAFFE,
    )


def _sizes(param: Any, field: str, pair: tuple[str, ...], axes: int, default: int, least: int) -> tuple[int, ...]:
    """One number per spatial axis from a repeated field or from the pair of fields that replaces it in 2-D."""
    values = tuple(getattr(param, field))
    if any(param.HasField(name) for name in pair):
        if axes != 2:
            raise LayerError(f"'{pair[0]}' and '{pair[1]}' are for 2 spatial axes, the bottom has {axes}; "
                             f"use '{field}', once or once per axis")
        if values:
            raise LayerError(f"give either '{field}' or '{pair[0]}' and '{pair[1]}', not both")
        names, values = pair, tuple(getattr(param, name) for name in pair)
    else:
        names = (field,) * axes
        if not values and field != "kernel_size":
            values = (default,)
        if len(values) not in (1, axes):
            raise LayerError(f"'{field}' must be given once or once per spatial axis ({axes}), "
                             f"got it {len(values)} times")
        values = values * axes if len(values) == 1 else values
    for name, value in zip(names, values, strict=True):
        if value < least:
            raise LayerError(f"'{name}' must be at least {least}, got {value}")
    return values


def check_sizes(sizes: tuple[int, ...], bottom: tuple[int, ...], moves: Geometry) -> None:
    """Raise ShapeError unless all spatial sizes of the top, computed from a bottom of this shape, are positive."""
    if any(size <= 0 for size in sizes):
        raise ShapeError(f"a kernel of {moves.kernel} with pad {moves.pad} and dilation {moves.dilation} leaves an "
                         f"output of {sizes} on a bottom of shape {bottom}; use a larger bottom or another pad")


def batched(array: Any, axis: int) -> Any:
    """View an array with its channels on `axis` as (N, C, *sizes)."""
    return array.reshape(math.prod(array.shape[:axis]), *array.shape[axis:])
