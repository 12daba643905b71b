"""Parallel convolutions into one, and a grouped convolution into one for each group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_fcn.errors import NetError
from caffe_fcn.proto import caffe_pb2

from .checks import STRICT, Check, Equal, Subject
from .links import Links
from .model import Model, as_model

OWN_FIELDS = ("num_output", "bias_term", "weight_filler", "bias_filler")  # in which parallel layers may differ


def split_groups(subject: Subject, layer: str, *, check: Check = STRICT) -> Subject:
    """Replace a Convolution or Deconvolution with `group: g` by Slice, g layers without groups, and Concat.

    The layers are called `<layer>_0`, `<layer>_1` ..., the other two `<layer>_slice` and `<layer>_concat`.
    """
    before = as_model(subject)
    after = before.copy()
    whole = after.layer(layer, "Convolution", "Deconvolution")
    count = whole.convolution_param.group
    if count < 2 or len(whole.bottom) != 1:
        raise NetError(f"layer '{layer}' has {count} group(s) and {len(whole.bottom)} bottom(s); this needs several "
                       "groups and one bottom")
    after.check_unshared(whole)
    names = [f"{layer}_{k}" for k in range(count)]
    axis = whole.convolution_param.axis
    cut = caffe_pb2.LayerParameter(name=f"{layer}_slice", type="Slice", bottom=whole.bottom,
                                   top=[f"{name}_in" for name in names], slice_param={"axis": axis})
    join = caffe_pb2.LayerParameter(name=f"{layer}_concat", type="Concat", bottom=names, top=whole.top,
                                    concat_param={"axis": axis})
    parts = [_part(whole, name, f"{name}_in", count) for name in names]
    _check_new_names(after, [cut, *parts], but=whole)
    for extra in (cut, join):
        extra.include.extend(whole.include)
        extra.exclude.extend(whole.exclude)
    if layer in after.weights:
        split = [np.split(array, count) for array in after.weights.pop(layer)]
        after.weights.update(zip(names, zip(*split, strict=True), strict=True))
    _replace(after, {layer: [cut, *parts, join]})
    return check.conclude(subject, before, after, Equal("split_groups"))


def merge_parallel(subject: Subject, layers: Sequence[str], name: str | None = None, *, check: Check = STRICT
                   ) -> Subject:
    """Replace Convolutions that read the same blob in the same way by one with all their outputs.

    Where one Concat reads just their tops in this order it goes too, else a Slice gives each top its part.

    name   of the new layer; without it the names joined by `+`
    Raises NetError for layers that differ in more than their outputs.
    """
    before = as_model(subject)
    after = before.copy()
    links = Links(after.net)
    found = [after.layer(each, "Convolution") for each in layers]
    _check_parallel(after, links, found)
    name = name or "+".join(layers)
    merged = caffe_pb2.LayerParameter()
    merged.CopyFrom(found[0])
    merged.name = name
    p = merged.convolution_param
    p.num_output = sum(layer.convolution_param.num_output for layer in found)
    with_bias = any(layer.convolution_param.bias_term for layer in found)
    p.bias_term = with_bias
    concat = _common_concat(links, found)
    if concat is not None:
        merged.top[:] = concat.top
        new, gone = [merged], [concat.name]
    else:
        merged.top[:] = [f"{name}_all"]
        new, gone = [merged, _slice(merged, found)], []
    _check_new_names(after, new, but=found[0], reused={top for layer in found for top in layer.top} | set(merged.top))
    _merge_weights(after, found, name, with_bias)
    earliest = min(layers, key=links.index)  # who reads the tops comes behind it
    _replace(after, {**{each: [] for each in (*layers, *gone)}, earliest: new})
    return check.conclude(subject, before, after, Equal("merge_parallel"))


def _part(whole: Any, name: str, bottom: str, count: int) -> Any:
    part = caffe_pb2.LayerParameter()
    part.CopyFrom(whole)
    part.name, part.bottom[:], part.top[:] = name, [bottom], [name]
    part.convolution_param.num_output //= count
    part.convolution_param.ClearField("group")
    for spec in part.param:
        spec.ClearField("name")
    return part


def _check_parallel(model: Model, links: Links, layers: Sequence[Any]) -> None:
    if len({layer.name for layer in layers}) < 2:
        raise NetError("merging needs at least two different layers")
    kinds = []
    for layer in layers:
        model.check_unshared(layer)
        if len(layer.bottom) != 1 or layer.convolution_param.group != 1:
            raise NetError(f"layer '{layer.name}' must have one bottom and no groups to be merged")
        rest = type(layer)()
        rest.CopyFrom(layer)
        for field in OWN_FIELDS:
            rest.convolution_param.ClearField(field)
        for field in ("name", "top", "blobs"):
            rest.ClearField(field)
        kinds.append((links.sources[links.index(layer.name)], rest))
        if kinds[-1] != kinds[0]:
            raise NetError(f"layers '{layers[0].name}' and '{layer.name}' cannot be merged: they differ in their "
                           "bottom, window (kernel, stride, pad, dilation), param or rules")
    known = [layer.name in model.weights for layer in layers]
    if any(known) and not all(known):
        raise NetError(f"layer '{layers[known.index(False)].name}' has no weights, others have")


def _common_concat(links: Links, layers: Sequence[Any]) -> Any | None:
    """The Concat over channels that reads just these layers, in this order, and is their only reader."""
    readers = [links.readers((links.index(layer.name), 0)) for layer in layers]
    first = readers[0][0] if readers[0] else None
    if any(len(found) != 1 or found[0] is not first for found in readers) or first is None or first.type != "Concat":
        return None
    same = [layer.top[0] for layer in layers] == list(first.bottom)
    p = first.concat_param
    return first if same and p.axis == 1 and not p.HasField("concat_dim") else None


def _slice(merged: Any, layers: Sequence[Any]) -> Any:
    ends = np.cumsum([layer.convolution_param.num_output for layer in layers])[:-1]
    cut = caffe_pb2.LayerParameter(name=f"{merged.name}_slice", type="Slice", bottom=merged.top,
                                   top=[layer.top[0] for layer in layers])
    cut.slice_param.axis = merged.convolution_param.axis
    cut.slice_param.slice_point.extend(int(end) for end in ends)
    cut.include.extend(merged.include)
    cut.exclude.extend(merged.exclude)
    return cut


def _merge_weights(model: Model, layers: Sequence[Any], name: str, with_bias: bool) -> None:
    if layers[0].name not in model.weights:
        return
    arrays = [model.weights.pop(layer.name) for layer in layers]
    blobs = [np.concatenate([each[0] for each in arrays])]
    if with_bias:
        blobs.append(np.concatenate([each[1] if len(each) > 1 else np.zeros(len(each[0]), np.float32)
                                     for each in arrays]))
    model.weights[name] = tuple(blobs)


def _check_new_names(model: Model, new: Sequence[Any], but: Any, reused: set[str] = frozenset()) -> None:  # type: ignore
    """Raise NetError if new layers or blobs have names that are taken."""
    layers = {layer.name for layer in model.net.layer} - {but.name}
    blobs = {top for layer in model.net.layer for top in layer.top} - reused
    for layer in new:
        if layer.name in layers:
            raise NetError(f"the net has a layer '{layer.name}' already; rename it first")
        for top in layer.top:
            if top in blobs:
                raise NetError(f"the net has a blob '{top}' already; rename it first")


def _replace(model: Model, changes: dict[str, list[Any]]) -> None:
    model.set_layers(new for layer in model.net.layer for new in changes.get(layer.name, [layer]))
