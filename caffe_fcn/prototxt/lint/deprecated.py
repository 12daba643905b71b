"""Rules about old formats and fields, most of which can be fixed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...proto.upgrade.fields import TRANSFORM_FIELDS
from ..document import Document
from ..modernise import make_current
from ..net_document import LayerPart
from .rule import ERROR, WARNING, FileContext, Fix, Note, View, file_rule, solver_rule, view_rule

CURRENT_DATA = {"Data": "data_param", "ImageData": "image_data_param", "WindowData": "window_data_param"}
OLD_SHAPE = ("num", "channels", "height", "width")
OLD_AXES = {"Concat": ("concat_param", "concat_dim"), "Slice": ("slice_param", "slice_dim")}


@file_rule("old-format", WARNING)
def old_format(context: FileContext) -> Iterator[Note]:
    """Files of the first two formats (`layers`) are read by way of an upgrade, and most tools do not know them;
    `caffe-fcn upgrade` makes them current.
    """
    if context.raw.layers:
        kind = "V0" if any(layer.HasField("layer") for layer in context.raw.layers) else "V1"
        yield Note(None, f"the file has {len(context.raw.layers)} 'layers' blocks of the old format {kind}; run "
                         "caffe-fcn upgrade", ("layers", 0))


@file_rule("old-input", WARNING)
def old_input(context: FileContext) -> Iterator[Note]:
    """Inputs are layers of type Input; the fields `input`, `input_shape` and `input_dim` are old, and dimensions that
    do not go with an input are ignored without a word.
    """
    raw = context.raw
    field = next((name for name in ("input", "input_shape", "input_dim") if getattr(raw, name)), None)
    if field:
        fixable = raw.input and not raw.layers and (raw.input_shape or raw.input_dim)
        yield Note(None, f"'{field}' is old; use a layer of type Input", (field, 0), make_current if fixable else None)


@view_rule("old-normalize", WARNING)
def old_normalize(view: View) -> Iterator[Note]:
    """`normalize` is the old spelling of `normalization`, which wins where both are given."""
    for row in view.rows:
        loss = row.param.loss_param
        if loss.HasField("normalize"):
            mode = "VALID" if loss.normalize else "BATCH_SIZE"
            fix = _swap(None if loss.HasField("normalization") else ("loss_param.normalization", mode),
                        "loss_param.normalize")
            yield Note(row, f"'normalize' is old; write normalization: {mode}", ("loss_param", "normalize"), fix)


@view_rule("old-axis", WARNING)
def old_axis(view: View) -> Iterator[Note]:
    """`concat_dim` and `slice_dim` are old names of `axis`, which also counts from the end."""
    for row in view.of_type(*OLD_AXES):
        block, field = OLD_AXES[row.param.type]
        param = getattr(row.param, block)
        if param.HasField(field):
            new = None if param.HasField("axis") else (f"{block}.axis", getattr(param, field))
            yield Note(row, f"'{field}' is old; write axis: {getattr(param, field)}", (block, field),
                       _swap(new, f"{block}.{field}"))


@view_rule("old-transform", ERROR)
def old_transform(view: View) -> Iterator[Note]:
    """In a current layer, scale, mean_file, crop_size and mirror belong into transform_param; at their old place they
    are ignored, so that the net sees other data than it says (WindowData still reads its own).
    """
    for row in view.of_type(*CURRENT_DATA):
        block = CURRENT_DATA[row.param.type]
        param = getattr(row.param, block)
        for field in TRANSFORM_FIELDS if row.param.type != "WindowData" else ():
            if param.HasField(field):
                new = (f"transform_param.{field}", getattr(param, field))
                free = not row.param.transform_param.HasField(field)
                yield Note(row, f"'{block}.{field}' is ignored here; move it to transform_param", (block, field),
                           _swap(new if free else None, f"{block}.{field}"))


@view_rule("old-dummy-shape", WARNING)
def old_dummy_shape(view: View) -> Iterator[Note]:
    """num, channels, height and width of DummyData are old and only know four axes; `shape` knows any number."""
    for row in view.of_type("DummyData"):
        param = row.param.dummy_data_param
        old = [name for name in OLD_SHAPE if getattr(param, name)]
        if old:
            yield Note(row, f"{', '.join(old)} are old; use 'shape'", ("dummy_data_param", old[0], 0),
                       _dummy_shape if not param.shape else None)


def _dummy_shape(layer: LayerPart) -> None:
    param = layer.message().dummy_data_param
    columns = [list(getattr(param, name)) for name in OLD_SHAPE]
    count = max(map(len, columns))
    shapes = [{"dim": [column[i if len(column) > 1 else 0] for column in columns]} for i in range(count)]
    for name in OLD_SHAPE:
        layer.delete(f"dummy_data_param.{name}")
    layer.set("dummy_data_param.shape", shapes)


@solver_rule("old-solver-type", WARNING)
def old_solver_type(solver: Document) -> Iterator[Note]:
    """`solver_type` (a name without quotes) is old; `type` (a string) replaced it, and both together are refused."""
    message = solver.message()
    if message.HasField("solver_type"):
        from ...proto.upgrade import upgrade_solver

        upgrade_solver(message, solver.file or "the solver")
        yield Note(None, f"'solver_type' is old; write type: \"{message.type}\"", ("solver_type",),
                   _swap(("type", message.type), "solver_type"))


def _swap(new: tuple[str, Any] | None, old: str) -> Fix:
    """A fix that writes the new field, if any, and removes the old one."""

    def fix(part: Any) -> None:
        part.delete(old)
        if new:
            part.set(*new)

    return fix
