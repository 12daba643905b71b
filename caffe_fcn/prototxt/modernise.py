"""Old nets and solvers become current as text: what need not change stays as it was, comments included."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import NetError, PrototxtError
from ..proto import caffe_pb2, forks
from ..proto.printer import to_text
from ..proto.upgrade import upgrade_net, upgrade_solver
from ..proto.upgrade.v1 import PARAM_LISTS
from .cst import Scalar
from .document import Document
from .format import format_text
from .net_document import LayerPart, NetDocument

INPUTS = ("input", "input_shape", "input_dim")
MOVED = ("param", "transform_param", "data_param", "image_data_param", "window_data_param")  # what an upgrade changes
COMMENTS_LOST = "the old layers were written anew; comments inside them are lost"


class Modernised(NamedTuple):
    """The new text, what was done, and what could not be kept."""

    text: str
    steps: list[str]
    problems: list[str]


def modernise_net(text: str, file: str | None = None) -> Modernised:
    """Make the text of a net current. Raises PrototxtError, NetError for what cannot be read or upgraded."""
    document = NetDocument(text, file)
    wanted = document.message()
    report = upgrade_net(wanted, file or "the net")
    if not report.steps:
        return Modernised(text, [], [])
    if _edit_net(document, wanted):
        return Modernised(str(document), report.steps, report.problems)
    lost = [COMMENTS_LOST] if "#" in text else []
    return Modernised(_head_comment(document) + format_text(to_text(wanted)), report.steps, report.problems + lost)


def make_current(document: NetDocument) -> None:
    """Upgrade a net of the current format that has old fields, in its text; nothing else is changed."""
    wanted = document.message()
    upgrade_net(wanted, document.file or "the net")
    _edit_net(document, wanted)


def modernise_solver(text: str, file: str | None = None) -> Modernised:
    """Make the text of a solver current. Raises PrototxtError."""
    document = Document(text, caffe_pb2.SolverParameter, file)
    message = document.message()
    report = upgrade_solver(message, file or "the solver")
    if report.steps:
        (field,) = document.body.named("solver_type")
        field.name, field.value = "type", Scalar(f'"{message.type}"')
    return Modernised(str(document), report.steps, report.problems)


def _edit_net(document: NetDocument, wanted: Any) -> bool:
    """Change the text until it means `wanted`; False, and nothing is changed, where that fails."""
    inputs = len(wanted.layer) - len(document.layers())
    if inputs not in (0, 1) or any(layer.HasField("layer") for layer in document.message().layers):
        return False  # the oldest format, whose layers are nested and merged
    try:
        with document.transaction(force=True):
            for part, layer in zip(document.layers(), wanted.layer[inputs:], strict=True):
                _edit_layer(part, layer)
            for name in INPUTS:
                for field in document.body.named(name):
                    document.body.remove(field)
            if inputs:
                first = document.layers()[0] if document.layers() else None
                document.insert(_layer_text(wanted.layer[0]), before=first)
            if document.message().SerializeToString(deterministic=True) != wanted.SerializeToString(deterministic=True):
                raise NetError("the text cannot be changed step by step")
    except (PrototxtError, NetError):
        return False
    return True


def _edit_layer(part: LayerPart, wanted: Any) -> None:
    """Make a block of a V1 or current layer the one that is wanted."""
    if part.field.name == "layers":
        _make_current(part, wanted.type)
    now = part.message()
    for name in MOVED:
        old, new = _value(now, name), _value(wanted, name)
        if new is not None and old != new:
            part.set(name, new)
        elif new is None and old is not None:
            part.delete(name)


def _make_current(part: LayerPart, kind: str) -> None:
    """Turn a V1 block into a current one of this type, without its lists of parameter properties."""
    part.field.name, part.body.descriptor = "layer", forks.message_class("LayerParameter").DESCRIPTOR
    fields = part.body.descriptor.fields_by_name
    for field in list(part.body.fields):
        if field.name not in fields or field.name in PARAM_LISTS:
            part.body.remove(field)
        elif field.name == "type":
            field.value = Scalar(f'"{kind}"')


def _value(layer: Any, name: str) -> Any:
    """The value of a field, None if it is not given."""
    if name == "param":
        return list(layer.param) or None
    return getattr(layer, name) if layer.HasField(name) else None


def _layer_text(layer: Any) -> str:
    return format_text(to_text(caffe_pb2.NetParameter(layer=[layer]))).strip()


def _head_comment(document: NetDocument) -> str:
    """The comment at the start of a file, which is about all of it."""
    lead = document.body.fields[0].lead if document.body.fields else document.body.tail
    lines = [line.strip() for line in lead.splitlines() if line.strip()]
    return "".join(f"{line}\n" for line in lines) + "\n" * bool(lines)
