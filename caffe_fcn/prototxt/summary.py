"""A net as a table: what each layer is, what comes out of it, what it costs and which pixels it sees."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from ..coord_map import CoordMaps
from ..coord_map.rules import layer_windows
from .cost import Cost, layer_cost, net_cost, pass_bytes
from .fields import Place, exact, places
from .shapes import LayerShapes, Shape, Sizes, net_shapes, text_of, without_rules

UNKNOWN = "?"


@dataclasses.dataclass(frozen=True)
class Row:
    """One layer. None stands for what is not known or does not apply; pairs are (rows, columns) of the image.

    kernel, stride, pad  of the window, dilation counted in
    flops                floating point operations of a forward pass
    bytes                of the new tops
    field                pixels of the input that one output sees
    scale, shift         output x lies at pixel scale * x + shift of the input
    problem              why the layer is refused, or why its shapes are not known
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    shapes: tuple[Shape | None, ...]
    kernel: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    pad: tuple[int, ...] | None
    params: int
    flops: int
    bytes: int
    field: tuple[int, ...] | None
    scale: tuple[float, ...] | None
    shift: tuple[float, ...] | None
    problem: str


@dataclasses.dataclass(frozen=True)
class Summary:
    """The rows with the totals; `pass_bytes` is what a forward pass and a training step need in all."""

    name: str
    rows: tuple[Row, ...]
    total: Cost
    forward_bytes: int
    training_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"name": self.name, "layers": [dataclasses.asdict(row) for row in self.rows],
                "total": {"params": self.total.params, "flops": self.total.flops,
                          "forward_bytes": self.forward_bytes, "training_bytes": self.training_bytes}}

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows of a table, the total last."""
        header = ["layer", "type", "tops", "kernel", "stride", "pad", "params", "GFLOP", "MiB", "field", "map"]
        rows = [_cells(row) for row in self.rows]
        total = ["total", "", "", "", "", "", f"{self.total.params:,}", _giga(self.total.flops),
                 _mebi(self.total.bytes), "", ""]
        return header, [*rows, total]


def summarise(
    net: Any, phase: int = 1, sizes: Sizes | None = None, stages: Iterable[str] = (), level: int = 0,
    dialect: str | None = None,
) -> Summary:
    """Summarise a NetParameter (already upgraded). Raises LayerError for include with exclude rules."""
    shapes = net_shapes(net, phase, sizes, level, stages, dialect)
    layers = [row.param for row in shapes.layers]
    maps = CoordMaps(without_rules(layers), phase)
    source = next((row.param.top[0] for row in shapes.layers if not row.param.bottom and row.param.top), None)
    found = places(layers, source) if source else [None] * len(shapes.layers)
    rows = tuple(_row(row, _place(row, place, maps, source)) for row, place in zip(shapes.layers, found, strict=True))
    return Summary(text_of(net.name), rows, net_cost(shapes), pass_bytes(shapes, False), pass_bytes(shapes, True))


def _row(row: LayerShapes, place: tuple[Any, Any, Any]) -> Row:
    cost = layer_cost(row)
    kernel, stride, pad = _window(row)
    problem = str(getattr(row.error, "message", row.error)) if row.error else row.opaque
    return Row(row.param.name, row.param.type, tuple(row.param.bottom), tuple(row.param.top),
               tuple(row.tops[: len(row.param.top)]), kernel, stride, pad, cost.params, cost.flops, cost.bytes,
               *place, problem)


def _window(row: LayerShapes) -> tuple[tuple[int, ...] | None, ...]:
    try:
        axes = layer_windows(row.param).axes
    except ValueError:
        return None, None, None
    if row.param.type not in ("Convolution", "Deconvolution", "Pooling", "Im2col"):
        return None, None, None
    axes = axes * 2 if len(axes) == 1 else axes
    return tuple(w.size for w in axes), tuple(w.stride for w in axes), tuple(w.pad for w in axes)


def _place(row: LayerShapes, place: Place | None, maps: CoordMaps, source: str | None) -> tuple[Any, Any, Any]:
    """Receptive field, scale and shift of the first top in the first input."""
    shape = row.tops[0] if row.tops else None
    if place is None or source is None or shape is None or len(shape) < 3:
        return None, None, None
    return (exact(maps, place, row.param.top[0], source), tuple(map(float, place.scale)),
            tuple(map(float, place.shift)))


def _cells(row: Row) -> list[str]:
    shapes = ", ".join("x".join(map(str, shape)) or "1" if shape is not None else UNKNOWN for shape in row.shapes)
    return [row.name, row.type, shapes, _pair(row.kernel), _pair(row.stride), _pair(row.pad),
            f"{row.params:,}" if row.params else "", _giga(row.flops) if row.flops else "",
            _mebi(row.bytes) if row.bytes else "", _pair(row.field), _map(row)]


def _pair(values: Sequence[float] | None) -> str:
    """One number where all are equal."""
    if not values:
        return ""
    distinct = values[:1] if len(set(values)) == 1 else values
    return "x".join(f"{value:g}" for value in distinct)


def _map(row: Row) -> str:
    """``8x+3.5``, once where both axes are alike."""
    if row.scale is None or row.shift is None:
        return ""
    pairs = list(dict.fromkeys(zip(row.scale, row.shift, strict=True)))
    return ", ".join(f"{'' if scale == 1 else f'{scale:g}'}x{f'{shift:+g}' if shift else ''}" for scale, shift in pairs)


def _giga(count: int) -> str:
    return f"{count / 1e9:.3f}"


def _mebi(count: int) -> str:
    return f"{count / 2**20:.2f}"
