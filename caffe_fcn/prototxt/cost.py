"""What a layer costs: floating point operations of a forward pass, parameters, bytes of its tops."""

from __future__ import annotations

import math
from typing import NamedTuple

from .shapes import LayerShapes, NetShapes, Shape

ITEM = 4  # bytes of a float32
# Types that move or share values, or do nothing in a forward pass.
FREE = frozenset(("Concat", "Crop", "Data", "DummyData", "Flatten", "HDF5Data", "HDF5Output", "ImageData", "Input",
                  "MemoryData", "Parameter", "Python", "Reshape", "Silence", "Slice", "Split", "Tile", "WindowData"))
SHARES_MEMORY = frozenset(("Flatten", "Parameter", "Reshape", "Split"))


class Cost(NamedTuple):
    """Of one layer, or summed up. A multiplication with an addition counts as two operations."""

    flops: int = 0
    params: int = 0
    bytes: int = 0  # values of the tops that are not in place

    def plus(self, other: Cost) -> Cost:
        """The sum."""
        return Cost(*map(sum, zip(self, other, strict=True)))


def layer_cost(row: LayerShapes) -> Cost:
    """The cost of a layer; what depends on an unknown shape counts as nothing."""
    new = [shape for name, shape in zip(row.top_names, row.tops, strict=True)
           if shape is not None and name not in row.param.bottom]
    size = 0 if row.param.type in SHARES_MEMORY else sum(map(math.prod, new)) * ITEM
    known = row.layer is not None and row.error is None and None not in row.bottoms and None not in row.tops
    return Cost(_flops(row) if known else 0, sum(map(math.prod, row.blobs)), size)


def net_cost(shapes: NetShapes) -> Cost:
    """The sum over all layers; parameters that are shared by name count once."""
    total, seen = Cost(), set()
    for row in shapes.layers:
        cost = layer_cost(row)
        for i, blob in enumerate(row.blobs):
            name = row.param.param[i].name if i < len(row.param.param) else ""
            if name and name in seen:
                cost = cost._replace(params=cost.params - math.prod(blob))
            seen.add(name)
        total = total.plus(cost)
    return total


def pass_bytes(shapes: NetShapes, train: bool) -> int:
    """Bytes that a pass needs: blobs and parameters, both with their gradients if it is a training step."""
    total = net_cost(shapes)
    return (total.bytes + total.params * ITEM) * (2 if train else 1)


def _flops(row: LayerShapes) -> int:
    kind, tops, bottoms = row.param.type, _known(row.tops), _known(row.bottoms)
    if kind in FREE:
        return 0
    if kind in ("Convolution", "Deconvolution"):
        moved = tops if kind == "Convolution" else bottoms
        axis = row.param.convolution_param.axis
        return sum(2 * math.prod(row.blobs[0]) * math.prod(shape[:axis]) * math.prod(shape[axis + 1 :])
                   for shape in moved) + sum(map(math.prod, tops)) * (len(row.blobs) > 1)
    if kind == "InnerProduct":
        rows = math.prod(bottoms[0][: row.param.inner_product_param.axis])
        return rows * sum((2 if len(blob) > 1 else 1) * math.prod(blob) for blob in row.blobs)
    if kind in ("LSTM", "RNN"):
        return math.prod(bottoms[0][:2]) * 2 * sum(map(math.prod, row.blobs))
    if kind == "Pooling":
        pooling = row.param.pooling_param
        if pooling.global_pooling:
            return math.prod(bottoms[0])
        kernel = (pooling.kernel_h or pooling.kernel_size) * (pooling.kernel_w or pooling.kernel_size)
        return math.prod(tops[0]) * kernel
    if kind == "LRN":
        return math.prod(tops[0]) * 2 * row.param.lrn_param.local_size
    return max(sum(map(math.prod, tops)), sum(map(math.prod, bottoms)))


def _known(shapes: list[Shape | None]) -> list[Shape]:
    return [shape for shape in shapes if shape is not None]
