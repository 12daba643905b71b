"""Filling a net's parameters with arrays of other names, shapes and orders of axes."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import FormatError, WeightsError
from caffe_fcn.formats.files import existing_file
from caffe_fcn.net import Net

from .torch_builder import identifier

WORDS = {"BatchNorm": ("running_mean", "running_var"), "Bias": ("bias",), "Parameter": ("value",)}
OTHERS = ("weight", "bias")
LARGEST_MAP = 1 << 26  # bytes


class Entry(NamedTuple):
    """Where a blob's values come from: an array with its axes reordered, or one number for all values."""

    name: str
    axes: tuple[int, ...] | None = None
    number: float | None = None


def read_map(path: str | os.PathLike[str]) -> dict[str, Entry]:
    """Read a name map: a JSON object from `layer/index` to an array's name, or to a number (all values are that), or
    to {"name": ..., "axes": [...]} (axes as for numpy.transpose). Raises MissingFileError, FormatError.
    """
    name = existing_file(path)
    if os.path.getsize(name) > LARGEST_MAP:
        raise FormatError(f"{name}: is too large for a name map")
    try:
        with open(name, encoding="utf-8") as file:
            table = json.load(file)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name}: is not a name map in JSON: {error}") from error
    if not isinstance(table, dict):
        raise FormatError(f"{name}: a name map is a JSON object from 'layer/index' to names")
    return {blob: _entry(value, f"{name}: '{blob}'") for blob, value in table.items()}


def _entry(value: Any, where: str) -> Entry:
    if isinstance(value, str):
        return Entry(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Entry("", number=float(value))
    axes = value.get("axes") if isinstance(value, dict) else None
    if isinstance(axes, list) and isinstance(value.get("name"), str) and all(
            type(axis) is int for axis in axes) and sorted(axes) == list(range(len(axes))):
        return Entry(value["name"], tuple(axes))
    raise FormatError(f"{where} must be a name, a number, or {{\"name\": ..., \"axes\": [...]}}, got {value!r}")


def fill(net: Net, arrays: Mapping[str, np.ndarray], table: Mapping[str, Entry], file: str) -> list[str]:
    """Fill all parameters of a net; those that `table` leaves out by their usual names. Returns the unused arrays.

    The usual names are `layer/index`, and PyTorch's (`layer.weight`, `layer.bias`, `bn.running_mean` ...).
    Nothing is written before all is checked. Raises WeightsError for missing arrays and for other shapes.
    """
    parameters = {f"{layer.name}/{i}": (layer, i) for layer in _layers(net) for i in range(len(layer.blobs))}
    unknown = set(table) - set(parameters)
    if unknown:
        raise WeightsError(f"{file}: the name map has '{min(unknown)}', but the net has no such layer or blob")
    steps, used = [], set()
    for key, (layer, i) in parameters.items():
        blob, entry = layer.blobs[i], table.get(key) or _usual(layer, i, arrays) or Entry(key)
        if entry.number is None and entry.name not in arrays:
            close = difflib.get_close_matches(entry.name, arrays, 3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise WeightsError(f"{file}: has no array '{entry.name}' for blob {key} of shape {blob.shape}{hint}")
        steps.append((blob, _values(entry, blob.shape, arrays, f"{file}: '{entry.name}' for blob {key}")))
        used.add(entry.name)
    for blob, values in steps:
        blob.data[...] = values
    return [name for name in arrays if name not in used and not name.endswith("num_batches_tracked")]


class _Layer(NamedTuple):
    name: str
    type: str
    blobs: Sequence[Any]
    transposed: bool


def _layers(net: Net) -> list[_Layer]:
    return [_Layer(name, layer.type, layer.blobs, layer.param.inner_product_param.transpose)
            for name, layer in zip(net._layer_names, net.layers, strict=True)]


def _usual(layer: _Layer, index: int, arrays: Mapping[str, np.ndarray]) -> Entry | None:
    """The array with the usual name for a blob, if there is one."""
    if f"{layer.name}/{index}" in arrays:
        return Entry(f"{layer.name}/{index}")
    words = WORDS.get(layer.type, OTHERS)
    stems = [f"{layer.name}.", f"{identifier(layer.name)}.", f"{identifier(layer.name)}_"]
    if layer.type == "BatchNorm" and index == 2:  # statistics that are no sums
        return Entry("", number=1.0) if any(f"{stem}{words[0]}" in arrays for stem in stems) else None
    if index >= len(words) or layer.transposed:
        return None
    return next((Entry(stem + words[index]) for stem in stems if stem + words[index] in arrays), None)


def _values(entry: Entry, shape: tuple[int, ...], arrays: Mapping[str, np.ndarray], where: str) -> np.ndarray:
    if entry.number is not None:
        return np.full(shape, entry.number, np.float32)
    array = arrays[entry.name]
    if entry.axes is not None:
        if len(entry.axes) != array.ndim:
            raise WeightsError(f"{where}: its shape {array.shape} has {array.ndim} axes, the map reorders "
                               f"{len(entry.axes)}")
        array = array.transpose(entry.axes)
    if [size for size in array.shape if size != 1] != [size for size in shape if size != 1]:
        raise WeightsError(f"{where}: its shape is {array.shape}, the net needs {shape}")
    with np.errstate(over="ignore"):
        return array.reshape(shape).astype(np.float32)
