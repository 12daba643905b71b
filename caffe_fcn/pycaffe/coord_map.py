"""Coordinate maps between the tops of a NetSpec, and Crop layers with the offsets that follow from them.

`caffe_fcn.coord_map` does the same for whole nets, with receptive fields and the derivation in words.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from ..coord_map import AxisMismatch, CoordMaps, UndefinedMap
from ..coord_map.affine import CoordMap
from ..coord_map.rules import PASS_THROUGH, layer_windows
from .net_spec import Function, NetSpec, Top, needed_functions
from .net_spec import layers as L
from .signatures import bare_signatures

__all__ = [
    "PASS_THROUGH_LAYERS",
    "AxisMismatchException",
    "L",
    "UndefinedMapException",
    "compose",
    "conv_params",
    "coord_map",
    "coord_map_from_to",
    "crop",
    "crop_params",
    "inverse",
]

PASS_THROUGH_LAYERS = list(PASS_THROUGH)
UndefinedMapException = UndefinedMap
AxisMismatchException = AxisMismatch
Map = tuple[int | None, Any, Any]  # first axis that is not mapped, scales, shifts
LEGACY = ("kernel_h", "kernel_w", "stride_h", "stride_w", "pad_h", "pad_w")


def conv_params(fn: Function) -> tuple[int, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """(axis, stride, kernel with its dilation, pad) of a layer with a sliding window.

    Arrays of one value or one per axis. Raises AssertionError for the fields that end in _h and _w, as the
    original does.
    """
    given = fn.params.get("convolution_param", fn.params.get("pooling_param", fn.params))
    _demand(not set(LEGACY) & set(given), f"{fn.type_name}: write kernel_size, stride and pad in place of the fields "
            "that end in _h and _w; caffe_fcn.coord_map takes those, too")
    windows = layer_windows(_layer(fn))
    size, stride, pad = (np.array([getattr(w, key) for w in windows.axes]) for key in ("size", "stride", "pad"))
    return 1 if windows.axis is None else windows.axis, stride, size, pad


def crop_params(fn: Function) -> tuple[int, npt.NDArray[Any]]:
    """(axis, offsets) of a Crop."""
    p = _layer(fn).crop_param
    return p.axis, np.array(p.offset or [0])


def coord_map(fn: Function) -> Map:
    """(axis, scale, shift): from coordinates of a layer's bottom to those of its top.

    Raises UndefinedMapException for layers that do not keep to a grid.
    """
    if fn.type_name in PASS_THROUGH:
        return None, 1, 0
    if fn.type_name != "Crop":
        conv_params(fn)  # refuses what the original does
    return _floats(CoordMap.of_layer(layer_windows(_layer(fn))))


def compose(base_map: Map, next_map: Map) -> Map:
    """The map that applies `next_map`, then `base_map`. AxisMismatchException if they speak of different axes."""
    (axis, scale, shift), (next_axis, next_scale, next_shift) = base_map, next_map
    if axis is not None and next_axis is not None and axis != next_axis:
        raise AxisMismatchException(f"the maps are of the axes behind {axis} and behind {next_axis}")
    return next_axis if axis is None else axis, scale * next_scale, scale * next_shift + shift


def inverse(coord_map: Map) -> Map:
    """The map back."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """(axis, scale, shift): from coordinates of one top to those of another.

    Raises RuntimeError if no layers that keep coordinates connect them.
    """
    n = NetSpec()
    n["from"] = top_from
    n["to"] = top_to
    net = n.to_proto()
    layer_of = dict(zip(needed_functions([top_from.fn, top_to.fn]), net.layer, strict=True))
    try:
        found = CoordMaps(net).between(*(str(layer_of[top.fn].top[top.n]) for top in (top_from, top_to)))
    except UndefinedMap:
        raise RuntimeError("no layers that keep coordinates lead from one of these tops to the other") from None
    return _floats(found)


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop of `top_from` to the size of `top_to`, at the offset that lays equal coordinates over each other.

    Raises AssertionError where the scales differ, or the offset is negative or no whole number; RuntimeError as
    `coord_map_from_to`.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    _demand((scale == 1).all(), f"cannot crop: the scales of the tops differ by {scale}")
    _demand((shift <= 0).all(), f"cannot crop: the offset would be negative ({-shift})")
    _demand((np.round(shift) == shift).all(), f"cannot crop: the offset would be no whole number ({-shift})")
    offsets = np.round(-shift).astype(int).tolist()
    top: Top = L.Crop(top_from, top_to, crop_param={"axis": (1 if axis is None else axis) + 1, "offset": offsets})
    return top


def _demand(met: bool | np.bool_, message: str) -> None:
    """AssertionError as the original raises it, but also under `python -O`."""
    if not met:
        raise AssertionError(message)


def _floats(found: CoordMap) -> Map:
    return found.axis, np.array([float(v) for v in found.scale]), np.array([float(v) for v in found.shift])


def _layer(fn: Function) -> Any:
    """The LayerParameter of a Function, without its blobs."""
    return Function(fn.type_name, (), {**fn.params, "ntop": 0})._own_layer({}, {}, Counter())


bare_signatures(__name__)
