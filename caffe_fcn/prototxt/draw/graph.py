"""A net as boxes with wires between them: chains of layers are one box, a row for each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...coord_map.rules import PASS_THROUGH
from ..shapes import LayerShapes, NetShapes
from .words import MISSING, clean, describe, kind_of, shape_text

MOST_ROWS = 10  # of a box
SIZE_ONLY = {"Crop": 1}  # by type, the bottom of which only the size is read
STAGE_NAME = re.compile(r"([A-Za-z]+)(\d+)(?:[_\-/].*|[a-z])?")
STAGED = frozenset(("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution", "Pooling", "InnerProduct",
                    *PASS_THROUGH)) - {"Concat", "Eltwise", "Silence", "Slice", "Split"}
# Types that carry on what is before them.
FOLLOWERS = (frozenset(PASS_THROUGH) | {"Crop"}) - {"Concat", "Eltwise", "Silence", "Slice", "Split"}


class Blob(NamedTuple):
    """A top: the row that makes it, by the number of the box and of the row in it."""

    name: str
    box: int
    row: int
    shape: str


class End(NamedTuple):
    """Where a blob is read; `size_only` if just its shape is."""

    box: int
    row: int
    size_only: bool


@dataclass
class Row:
    """A layer, with those that change its top in place."""

    name: str
    kind: str
    words: str
    shape: str
    problem: bool = False


@dataclass
class Box:
    """Rows of which each reads the one before it; `title` is the name of the stage, or empty."""

    title: str
    rows: list[Row] = field(default_factory=list)


@dataclass
class Wire:
    """A blob that other boxes read, or that nothing reads."""

    blob: Blob
    ends: list[End] = field(default_factory=list)


@dataclass
class Graph:
    """Boxes in an order in which each stands behind those that it reads."""

    boxes: list[Box]
    wires: list[Wire]


class _Source(NamedTuple):
    unit: int
    top: int
    size_only: bool


@dataclass
class _Unit:
    """A layer with those that work in place on its only top."""

    param: Any
    shapes: LayerShapes | None
    sources: list[_Source] = field(default_factory=list)
    followers: list[str] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    reach: int = 0  # bit set of the units that depend on this one
    place: tuple[int, int] = (0, 0)  # box and row

    @property
    def stage(self) -> str:
        """What layers of one stage have in common; empty where the name tells no stage."""
        found = STAGE_NAME.fullmatch(self.param.name) if self.param.type in STAGED else None
        if found is None:
            return ""
        return "fc" if found[1].lower() in ("fc", "ip") else found[2]


def graph_of(shapes: NetShapes) -> Graph:
    """The graph of a net whose shapes are known as far as they can be."""
    units = _units(shapes)
    for u in range(len(units) - 1, -1, -1):
        for reader in units[u].readers:
            units[u].reach |= 1 << reader | units[reader].reach
    members = _group(units)
    boxes = [Box(_title([units[u] for u in group]), [_row(units[u]) for u in group]) for group in members]
    return Graph(boxes, _wires(units))


def _units(shapes: NetShapes) -> list[_Unit]:
    units: list[_Unit] = []
    latest: dict[str, tuple[int, int]] = {}
    for row in shapes.layers:
        param = row.param
        if row.error is None and _in_place(param, latest, units):
            units[latest[param.top[0]][0]].followers.append(describe(param))
            continue
        for name in param.bottom:
            if name not in latest:
                latest[name] = (len(units), 0)
                units.append(_Unit(type(param)(name=name, type=MISSING, top=[name]), None))
        unit = _Unit(param, row)
        units.append(unit)
        for i, name in enumerate(param.bottom):
            source = _Source(*latest[name], SIZE_ONLY.get(param.type) == i)
            unit.sources.append(source)
            units[source.unit].readers.append(len(units) - 1)
        latest.update({name: (len(units) - 1, i) for i, name in enumerate(param.top)})
    return units


def _in_place(param: Any, latest: dict[str, tuple[int, int]], units: list[_Unit]) -> bool:
    """Whether a layer only changes the single top of another, which nobody has read yet."""
    if len(param.bottom) != 1 or list(param.top) != list(param.bottom) or param.top[0] not in latest:
        return False
    unit = units[latest[param.top[0]][0]]
    return len(unit.param.top) == 1 and not unit.readers and unit.shapes is not None


def _group(units: list[_Unit]) -> list[list[int]]:
    """Put each unit into a box: that of the unit it carries on, or a new one. Boxes never read each other in turn."""
    groups: list[list[int]] = []
    behind: list[set[int]] = []  # for each box, those that read it
    for u, unit in enumerate(units):
        main = {source.unit for source in unit.sources if not source.size_only}
        others = {units[source.unit].place[0] for source in unit.sources}
        before = units[next(iter(main))] if len(main) == 1 else None
        if before is not None and _carries_on(units, before, u) and groups[before.place[0]][-1] in main:
            box = before.place[0]
            if len(groups[box]) < MOST_ROWS and not _reaches(behind, box, others - {box}):
                unit.place = (box, len(groups[box]))
                groups[box].append(u)
                _note(behind, others, box)
                continue
        unit.place = (len(groups), 0)
        groups.append([u])
        behind.append(set())
        _note(behind, others, unit.place[0])
    return groups


def _note(behind: list[set[int]], sources: set[int], box: int) -> None:
    for source in sources - {box}:
        behind[source].add(box)


def _reaches(behind: list[set[int]], box: int, goals: set[int]) -> bool:
    seen, todo = set[int](), [box] if goals else []
    while todo:
        for reader in behind[todo.pop()] - seen:
            seen.add(reader)
            todo.append(reader)
    return bool(seen & goals)


def _carries_on(units: list[_Unit], before: _Unit, u: int) -> bool:
    """Whether unit `u` belongs to the box of the unit that it reads."""
    heir = max(before.readers, key=lambda reader: (units[reader].reach.bit_count(), -reader))
    if u != heir or before.shapes is None or kind_of(before.param) in ("data", "loss"):
        return False
    this = units[u]
    if this.stage and this.stage == before.stage:
        return True
    if kind_of(this.param) == "loss" or before.param.type == "Pooling" or len(set(before.readers)) > 1:
        return False
    return this.param.type in FOLLOWERS or not (this.stage or before.stage)


def _title(group: list[_Unit]) -> str:
    first, last = group[0].param.name, group[-1].param.name
    if not group[0].stage:
        return ""
    if group[0].stage == "fc":
        return clean(first if len(group) == 1 else f"{first} to {last}")
    found = STAGE_NAME.fullmatch(first)
    return clean(f"{found[1]}{found[2]}") if found and len(group) > 1 else ""


def _row(unit: _Unit) -> Row:
    if unit.shapes is None:
        return Row(clean(unit.param.name), "problem", "no layer makes this blob", "?", True)
    words = " + ".join([describe(unit.param), *unit.followers])
    refused = unit.shapes.error is not None
    shape = shape_text(unit.shapes.tops[0]) if len(unit.param.top) == 1 else ""
    return Row(clean(unit.param.name), "problem" if refused else kind_of(unit.param),
               f"{words} (refused)" if refused else words, shape, refused)


def _wires(units: list[_Unit]) -> list[Wire]:
    """Blobs that leave their box: to the rows of other boxes, or to nowhere."""
    wires: dict[tuple[int, int], Wire] = {}
    inside = set()
    for u, unit in enumerate(units):
        for i, name in enumerate(unit.param.top):
            shape = unit.shapes.tops[i] if unit.shapes else None
            wires[u, i] = Wire(Blob(clean(name), *unit.place, shape_text(shape)))
    for unit in units:
        for source in unit.sources:
            box, row = unit.place
            if units[source.unit].place[0] == box:
                inside.add((source.unit, source.top))
                continue
            end = End(box, row, source.size_only)
            ends = wires[source.unit, source.top].ends
            if end not in ends:
                ends.append(end)
    return [wire for key, wire in wires.items() if wire.ends or key not in inside]


def is_input(box: Box) -> bool:
    """Whether a box only gives data."""
    return all(row.kind == "data" for row in box.rows)


