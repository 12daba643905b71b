"""Run the rules over a text or a file, place what they find, drop what is silenced, apply the fixes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from typing import Any

from ...errors import LayerError, NetError, PrototxtError
from ...proto import caffe_pb2
from ...proto import text as proto_text
from ...proto.upgrade import upgrade_net
from ..document import Document, read_text
from ..net_document import NetDocument
from ..shapes import net_shapes
from .rule import (
    DEFAULTS,
    ERROR,
    FILE_RULES,
    INFO,
    SOLVER_RULES,
    VIEW_RULES,
    FileContext,
    Finding,
    Note,
    Options,
    Rule,
    View,
)
from .silence import apply_silences

UNREADABLE, SOLVER_NET = "unreadable", "solver-net"
ROUNDS = 5  # of fixing: a fix may uncover something else that can be fixed


def lint_text(
    text: str, file: str | None = None, options: Options = DEFAULTS, solver: Any = None,
    others: dict[str, list[View]] | None = None,
) -> list[Finding]:
    """What the rules find in the text of a net, by place; what is silenced is marked so.

    `solver` is the SolverParameter that trains it, `others` the views of nets that it should be equal to. A text that
    cannot be read gives one finding, "unreadable".
    """
    positions: proto_text.Positions = {}
    try:
        raw = proto_text.parse(text, caffe_pb2.NetParameter(), file, positions)
        context = _context(NetDocument(text, file), raw, options, solver)
    except PrototxtError as error:
        return [_unreadable(error, file)]
    except (LayerError, NetError) as error:
        return [Finding("refused", ERROR, str(error), file, 1, 1)]
    context.others = others or {}
    notes = [(rule, note) for rule in FILE_RULES.values() for note in rule.check(context)]
    for view in context.views:
        notes += [(rule, note) for rule in VIEW_RULES.values() for note in rule.check(view)]
    found = {(finding.rule, finding.line, finding.column, finding.message): finding
             for finding in (_place(rule, note, context, positions) for rule, note in notes)}
    return apply_silences(list(found.values()), context.document)


def lint_file(
    path: str | os.PathLike[str], options: Options = DEFAULTS, against: str | os.PathLike[str] | None = None
) -> list[Finding]:
    """What the rules find in a file; for a solver also in the nets that it names (relative to here, or to it).

    `against` is the file of a net that should be the same but for data and losses. Raises MissingFileError.
    """
    file, text = os.fspath(path), read_text(path)
    if not is_solver(text):
        others = {os.fspath(against): _views(os.fspath(against), options)} if against is not None else None
        return lint_text(text, file, options, others=others)
    return _lint_solver(Document(text, caffe_pb2.SolverParameter, file), options)


def fix_text(text: str, file: str | None = None, options: Options = DEFAULTS) -> str:
    """The text of a net after all fixes that are safe. Raises PrototxtError for one that cannot be read."""
    for _ in range(ROUNDS):
        findings = [finding for finding in lint_text(text, file, options) if finding.fix and not finding.silenced]
        if not findings:
            break
        document = NetDocument(text, file)
        last_first = sorted(findings, key=lambda finding: -1 if finding.index is None else finding.index, reverse=True)
        with document.transaction(force=True):
            for finding in last_first:
                _apply(finding, document)
        text = str(document)
    return text


def _apply(finding: Finding, document: Document) -> None:
    assert finding.fix is not None
    if finding.index is None:
        finding.fix(document)
    elif isinstance(document, NetDocument):
        finding.fix(document.layers()[finding.index])


def _context(document: NetDocument, raw: Any, options: Options, solver: Any) -> FileContext:
    net = type(raw)()
    net.CopyFrom(raw)
    upgrade_net(net, document.file or "the net")
    views: list[View] = []
    context = FileContext(document, raw, net, views)
    if any(layer.include and layer.exclude for layer in net.layer):
        return context  # has a rule of its own; no phase can be told
    has_phases = any(layer.include or layer.exclude for layer in net.layer)
    for phase in (0, 1):
        shapes = net_shapes(net, phase, options.sizes, stages=options.stages, dialect=options.dialect)
        view = View(net, shapes, options, solver)
        if has_phases or (phase == 0) == view.has_loss:
            views.append(view)
    return context


def _place(rule: Rule, note: Note, context: FileContext, positions: proto_text.Positions) -> Finding:
    """A finding with its place in the text: that of the field if it is written, else of what holds it."""
    path, index, raw = note.path, None, context.raw
    if note.row is not None:
        field = "layers" if raw.layers else "layer"
        index = note.row.index - (len(context.net.layer) - len(getattr(raw, field)))
        path = (field, index, *path) if index >= 0 else ("input", 0)
        index = index if index >= 0 and not raw.layers else None
    while path and path not in positions:
        path = path[:-1]
    line, column = positions.get(path, (1, 1))
    fix = note.fix if note.row is None or index is not None else None
    name = note.row.param.name if note.row is not None else None
    return Finding(rule.name, rule.severity, note.message, context.document.file, line, column, name, index, fix)


def _unreadable(error: PrototxtError, file: str | None) -> Finding:
    message = str(error)
    place = ":".join(str(part) for part in (error.file, error.line, error.column) if part is not None)
    return Finding(UNREADABLE, ERROR, message.removeprefix(f"{place}: "), file, error.line or 1, error.column or 1)


def is_solver(text: str) -> bool:
    """Whether a text is no net, but a solver."""
    try:
        proto_text.parse(text, caffe_pb2.NetParameter())
        return False
    except PrototxtError:
        pass
    try:
        proto_text.parse(text, caffe_pb2.SolverParameter())
    except PrototxtError:
        return False
    return True


def _lint_solver(solver: Document, options: Options) -> list[Finding]:
    message = solver.message()
    positions: proto_text.Positions = {}
    proto_text.parse(str(solver), caffe_pb2.SolverParameter(), solver.file, positions)
    found = [Finding(rule.name, rule.severity, note.message, solver.file, *positions.get(note.path, (1, 1)),
                     fix=note.fix)
             for rule in SOLVER_RULES.values() for note in rule.check(solver)]
    views: dict[str, list[View]] = {}
    for path, name in _nets(message):
        file = next((place for place in (name, os.path.join(os.path.dirname(solver.file or ""), name))
                     if os.path.isfile(place)), None)
        if file is None:
            found.append(Finding(SOLVER_NET, INFO, f"the net '{name}' is not here; it is not checked", solver.file,
                                 *positions.get(path, (1, 1))))
            continue
        found += lint_text(read_text(file), file, options, message, dict(views))
        views[file] = _views(file, options)
    return list(dict.fromkeys(found))


def _nets(solver: Any) -> Iterator[tuple[tuple[Any, ...], str]]:
    """The files that a solver names, with the place of each, the training net first."""
    for field in ("net", "train_net"):
        if getattr(solver, field):
            yield (field,), getattr(solver, field)
    for i, name in enumerate(solver.test_net):
        yield ("test_net", i), name


def _views(file: str, options: Options) -> list[View]:
    try:
        text = read_text(file)
        raw = proto_text.parse(text, caffe_pb2.NetParameter(), file)
        return _context(NetDocument(text, file), raw, options, None).views
    except (PrototxtError, LayerError, NetError):
        return []  # reported where it is checked itself


def count_by_severity(findings: Iterable[Finding]) -> dict[str, int]:
    """How many of each severity are not silenced."""
    counts: dict[str, int] = {}
    for finding in findings:
        if finding.silenced is None:
            counts[finding.severity] = counts.get(finding.severity, 0) + 1
    return counts


def without_fixes(finding: Finding) -> dict[str, Any]:
    """A finding as plain values, for JSON."""
    values = {field.name: getattr(finding, field.name) for field in dataclasses.fields(finding) if field.name != "fix"}
    return {**values, "fixable": finding.fix is not None}
