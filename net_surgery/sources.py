"""Layers that bring data in: their shapes, and the Input layers that can stand for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffe_fcn.proto import caffe_pb2

Shape = tuple[int, ...]


def is_source(layer: Any) -> bool:
    """Whether a layer brings data in from outside the net: no bottoms, and not a Parameter."""
    return not layer.bottom and layer.type != "Parameter"


def input_layer(name: str, blob: str, shape: Sequence[int]) -> Any:
    """An Input layer of one blob."""
    layer = caffe_pb2.LayerParameter(name=name, type="Input", top=[blob])
    layer.input_param.shape.add().dim.extend(int(size) for size in shape)
    return layer


def source_shapes(layer: Any) -> list[Shape | None]:
    """What a data layer says of the shapes of its tops without reading any data; None where it says nothing."""
    if layer.type == "Input":
        return _one_or_each([tuple(shape.dim) for shape in layer.input_param.shape] or [()], len(layer.top))
    if layer.type == "DummyData":
        p = layer.dummy_data_param
        old = list(zip(p.num, p.channels, p.height, p.width, strict=False))
        return _one_or_each([tuple(shape.dim) for shape in p.shape] or old, len(layer.top))
    if layer.type == "MemoryData":
        m = layer.memory_data_param
        shapes: list[Shape | None] = [(m.batch_size, m.channels, m.height, m.width), (m.batch_size,)]
        return shapes[:len(layer.top)]
    return [None] * len(layer.top)


def _one_or_each(shapes: Sequence[Shape], count: int) -> list[Shape | None]:
    if len(shapes) == 1:
        return [shapes[0]] * count
    return [*shapes, *([None] * count)][:count]
