"""What a rule is, what it sees of a net, and what it finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

from ...coord_map import CoordMaps
from ...errors import UnknownLayerError
from ...layers.registry import layer_class
from ..net_document import LayerPart, NetDocument
from ..shapes import LayerShapes, NetShapes, Sizes, without_rules

Fix = Callable[[Any], None]  # changes a LayerPart, or the Document for a note without a layer
Path = tuple[Any, ...]
ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)


class Options(NamedTuple):
    """What a user may choose."""

    sizes: Sizes = Sizes()
    stages: tuple[str, ...] = ()
    dialect: str | None = None  # as for Net
    memory_limit: float = 16.0  # GiB for a pass
    time_limit: float = 60.0  # seconds for a pass
    gflops: float = 100.0  # of the machine that the net shall run on, per second


DEFAULTS = Options()


class Note(NamedTuple):
    """A finding before it knows its rule and its file. `row` is None if it is about the whole text."""

    row: LayerShapes | None
    message: str
    path: Path = ()  # in the layer, or in the text
    fix: Fix | None = None


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something found: which rule, where, what, and whether it can be fixed or is silenced (the reason)."""

    rule: str
    severity: str
    message: str
    file: str | None
    line: int
    column: int
    layer: str | None = None
    index: int | None = None  # of the layer in the text
    fix: Fix | None = dataclasses.field(default=None, compare=False)
    silenced: str | None = None


class Rule(NamedTuple):
    """A rule: its name, how bad it is to break it, and the function that looks; its docstring is the reason."""

    name: str
    severity: str
    check: Callable[[Any], Iterable[Note]]

    @property
    def reason(self) -> str:
        """Why it is a rule."""
        return " ".join((self.check.__doc__ or "").split())


VIEW_RULES: dict[str, Rule] = {}  # look at the layers of one phase
FILE_RULES: dict[str, Rule] = {}  # look at a file as it is written
SOLVER_RULES: dict[str, Rule] = {}  # look at a solver's file


def _adder(table: dict[str, Rule]) -> Callable[[str, str], Callable[[Any], Any]]:
    def rule(name: str, severity: str) -> Callable[[Any], Any]:
        def add(check: Any) -> Any:
            table[name] = Rule(name, severity, check)
            return check

        return add

    return rule


view_rule, file_rule, solver_rule = _adder(VIEW_RULES), _adder(FILE_RULES), _adder(SOLVER_RULES)


def all_rules() -> dict[str, Rule]:
    """Every rule by its name."""
    return {**FILE_RULES, **VIEW_RULES, **SOLVER_RULES}


class View:
    """The net of one phase. `net` is the whole NetParameter, upgraded; `solver` the message that trains it or None."""

    def __init__(self, net: Any, shapes: NetShapes, options: Options, solver: Any = None) -> None:
        self.net, self.shapes, self.options, self.solver = net, shapes, options, solver
        self.rows = shapes.layers
        self.layers = [row.param for row in self.rows]

    @cached_property
    def maps(self) -> CoordMaps:
        """Coordinate maps of the layers."""
        return CoordMaps(without_rules(self.layers), self.shapes.phase)

    @property
    def phase(self) -> str:
        """TRAIN or TEST."""
        return ("TRAIN", "TEST")[self.shapes.phase]

    @cached_property
    def has_loss(self) -> bool:
        """Whether it compares with labels; only then weights may start from nothing but the fillers."""
        return any(is_loss(layer) for layer in self.layers)

    def of_type(self, *types: str) -> Iterator[LayerShapes]:
        """The layers of some types."""
        return (row for row in self.rows if row.param.type in types)

    def maker(self, blob: str, before: LayerShapes | None = None) -> LayerShapes | None:
        """The layer that makes a blob, or changed it last, as another layer reads it (default: at the end)."""
        stop = self.rows.index(before) if before else len(self.rows)
        return next((row for row in reversed(self.rows[:stop]) if blob in row.param.top), None)

    def readers(self, row: LayerShapes, blob: str) -> list[LayerShapes]:
        """The layers that read a top of `row` before another layer makes it anew."""
        found = []
        for later in self.rows[self.rows.index(row) + 1 :]:
            if blob in later.param.bottom:
                found.append(later)
            if blob in later.param.top:
                break
        return found


@dataclasses.dataclass
class FileContext:
    """A net's file: its text, its message as written (`raw`), the upgraded one, and the views of its phases."""

    document: NetDocument
    raw: Any
    net: Any
    views: list[View]
    others: dict[str, list[View]] = dataclasses.field(default_factory=dict)  # of other files, by name


def is_loss(layer: Any) -> bool:
    """Whether a LayerParameter is of a known loss type, or has a loss weight."""
    try:
        return layer_class(layer.type).is_loss or any(layer.loss_weight)
    except UnknownLayerError:  # which has a rule of its own
        return any(layer.loss_weight)


def setter(path: str, value: Any) -> Fix:
    """A fix that writes a field of the layer."""
    return lambda layer: layer.set(path, value)


def remover(path: str) -> Fix:
    """A fix that removes a field of the layer."""

    def fix(layer: LayerPart) -> None:
        layer.delete(path)

    return fix
