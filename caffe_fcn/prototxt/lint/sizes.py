"""Rules about shapes at a given input size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...coord_map import AxisMismatch, CoordMaps, UndefinedMap, Window
from ...coord_map.rules import layer_windows
from ..fields import places
from ..heads import classes_of, heads, score_layers
from ..shapes import LayerShapes, NetShapes, net_shapes, without_rules
from .rule import INFO, WARNING, Note, View, view_rule

WINDOWED = {"Convolution": ("convolution_param", 2), "Pooling": ("pooling_param", 2)}


def _windows(row: LayerShapes) -> list[tuple[Window, int]]:
    """The window of each spatial axis of a Convolution or Pooling layer, with the size of its bottom."""
    shape = row.bottoms[0] if row.bottoms else None
    try:
        found = layer_windows(row.param)
    except (UndefinedMap, AxisMismatch):
        return []
    if shape is None or found.axis is None:
        return []
    sizes = shape[found.axis + 1 :]
    axes = found.axes * len(sizes) if len(found.axes) == 1 else found.axes
    return list(zip(axes, sizes, strict=False))


@view_rule("kernel-over-map", WARNING)
def kernel_over_map(view: View) -> Iterator[Note]:
    """A kernel larger than its padded bottom sees more padding or nothing than values: the net is too deep for this
    input size. (The original truncates a division, so that such a layer still gives one output.)
    """
    for row in view.of_type(*WINDOWED):
        for window, size in _windows(row):
            if window.size > size + 2 * window.pad:
                yield Note(row, f"a kernel of {window.size} on a map of {size} with pad {window.pad} "
                                f"(bottom {row.bottoms[0]})", (WINDOWED[row.param.type][0],))
                break


@view_rule("padding-not-needed", INFO)
def padding_not_needed(view: View) -> Iterator[Note]:
    """A padding as large as the kernel makes outputs that see nothing but zeros. The first FCNs pad the input by 100
    so that small images pass; at sizes that pass without, it only costs time.
    """
    for row in view.of_type("Convolution"):
        large = [window for window, _ in _windows(row) if window.pad >= window.size and window.size > 1]
        if large and _builds_with_less(view, row):
            window = large[0]
            yield Note(row, f"pad: {window.pad} with a kernel of {window.size}; at this input size the "
                            f"net also runs with pad: {window.size // 2} (offsets of crops change then)",
                       ("convolution_param", "pad", 0))


def _builds_with_less(view: View, row: LayerShapes) -> bool:
    """Whether all layers still have an output when this one pads by half its kernel, with the offsets that follow."""
    net: Any = type(view.net)()
    net.CopyFrom(view.net)
    param = net.layer[row.index].convolution_param
    for field in ("pad", "pad_h", "pad_w"):
        param.ClearField(field)
    param.pad.append(_windows(row)[0][0].size // 2)
    before = {other.index for other in view.shapes.errors}
    options = view.options
    after = net_shapes(net, view.shapes.phase, options.sizes, stages=options.stages, dialect=options.dialect)
    return _crops_fit(after) and all(other.param.type == "Crop" for other in after.errors if other.index not in before)


def _crops_fit(shapes: NetShapes) -> bool:
    """Whether no crop would have to start before the first pixel."""
    maps = CoordMaps(without_rules(row.param for row in shapes.layers), shapes.phase)
    for row in shapes.layers:
        if row.param.type == "Crop" and len(row.param.bottom) == 2 and row.param.crop_param.axis == 2:
            try:
                if max(maps.between(*row.param.bottom).shift) > 0:
                    return False
            except (KeyError, UndefinedMap, AxisMismatch):
                continue
    return True


@view_rule("receptive-field", WARNING)
def receptive_field(view: View) -> Iterator[Note]:
    """Where an output sees fewer pixels than lie between it and the next one, some pixels of the input are seen by no
    output at all.
    """
    start = next((row.param.top[0] for row in view.rows if not row.param.bottom and row.param.top), None)
    found = places(view.layers, start) if start else []
    for row, place in zip(view.rows, found, strict=False):
        if place is None or place.size is None or row.param.type not in WINDOWED or not row.param.top:
            continue
        if any(size < scale for size, scale in zip(place.size, place.scale, strict=True)):
            yield Note(row, f"'{row.param.top[0]}' sees {place.size[0]} pixels of '{start}', but its outputs are "
                            f"{place.scale[0]} apart: pixels between them are never seen")
            return  # all layers behind inherit it


@view_rule("class-count", WARNING)
def class_count(view: View) -> Iterator[Note]:
    """All layers that make the scores of one loss must agree on the number of classes."""
    for blob, before in heads(view.layers).items():
        rows = score_layers(view.layers, blob, before)
        counts = {row.param.num_output for row in rows} if len(classes_of(rows)) > 1 else classes_of(rows)
        if len(counts) > 1:
            names = ", ".join(f"'{row.layer.name}' {row.param.num_output}" for row in rows)
            yield Note(view.rows[rows[-1].place], f"the layers that make the scores '{blob}' have different numbers of "
                                                  f"classes: {names}", ())


@view_rule("input-shape", WARNING)
def input_shape(view: View) -> Iterator[Note]:
    """An Input layer without a shape starts as a single number; the net cannot be built until somebody reshapes it,
    which comes too late for most layers.
    """
    for row in view.of_type("Input"):
        if not row.param.input_param.shape:
            yield Note(row, "has no shape; write input_param { shape { dim: 1 dim: 3 ... } }")
