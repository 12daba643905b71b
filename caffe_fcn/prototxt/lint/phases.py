"""Rules about nets of several phases, in one file or in a pair of files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...proto.printer import to_text
from .rule import ERROR, WARNING, FileContext, Note, View, file_rule, is_loss

# What may differ: which phase, how it learns, how it starts.
FREE = ("include", "exclude", "phase", "param", "propagate_down", "loss_weight", "loss_param", "bottom", "top")
FREE_TYPES = frozenset(("BatchNorm", "Dropout", "Python", "DummyData"))


@file_rule("include-and-exclude", ERROR)
def include_and_exclude(context: FileContext) -> Iterator[Note]:
    """A layer has rules of one kind; with both, it would not be clear which comes first, and the net is refused."""
    for i, layer in enumerate(context.raw.layer):
        if layer.include and layer.exclude:
            yield Note(None, f"layer '{layer.name}' has include and exclude rules", ("layer", i, "exclude", 0))


@file_rule("phases-differ", WARNING)
def phases_differ(context: FileContext) -> Iterator[Note]:
    """A layer that is in the training net and in the test net must say the same in both: otherwise another net is
    tested than was trained. Data, dropout, losses, fillers and multipliers may
    differ. Checked inside a file, and
    between the nets that a solver names or that --against compares.
    """
    for view, other, where in _pairs(context):
        theirs = {row.param.name: row.param for row in other.rows}
        for row in view.rows:
            twin = theirs.get(row.param.name)
            if twin is None or (not row.blobs and not row.param.bottom) or _may_differ(row.param):
                continue
            difference = _difference(row.param, twin)
            if difference:
                yield Note(row, f"differs {where}: {difference}")


@file_rule("phase-only", WARNING)
def phase_only(context: FileContext) -> Iterator[Note]:
    """A layer with parameters that only one of the phases has is trained and never tested, or tested with weights that
    were never trained.
    """
    for view, other, where in _pairs(context):
        names = {row.param.name for row in other.rows}
        for row in view.rows:
            if row.blobs and row.param.name not in names:
                yield Note(row, f"has parameters, but is not there {where}")


def _pairs(context: FileContext) -> Iterator[tuple[View, View, str]]:
    """Pairs of views that should be of the same net."""
    if len(context.views) == 2 and all(view.rows for view in context.views):
        first, second = context.views
        yield first, second, f"in phase {second.phase}"
        if any(row.param.name not in {other.param.name for other in first.rows} for row in second.rows):
            yield second, first, f"in phase {first.phase}"
    for name, views in context.others.items():
        if context.views and views:
            yield context.views[0], views[-1], f"in {name}"


def _may_differ(layer: Any) -> bool:
    return layer.type in FREE_TYPES or is_loss(layer)


def _difference(mine: Any, theirs: Any) -> str:
    """What two layers of one name say differently, in words; "" if they mean the same."""
    if mine.type != theirs.type:
        return f"type is {mine.type}, there {theirs.type}"
    a, b = _bare(mine), _bare(theirs)
    if a == b:
        return ""
    here, there = set(_leaves(a)), set(_leaves(b))
    words = [f"{', '.join(sorted(some)) or 'nothing'}" for some in (here - there, there - here)]
    return f"here {words[0]}; there {words[1]}"


def _bare(layer: Any) -> Any:
    from ..shapes import strip_fillers

    copy = type(layer)()
    copy.CopyFrom(layer)
    for field in FREE:
        copy.ClearField(field)
    strip_fillers(copy)
    return copy


def _leaves(message: Any) -> list[str]:
    return [line.strip() for line in to_text(message).splitlines() if ":" in line]
