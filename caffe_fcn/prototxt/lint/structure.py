"""Rules about how layers and blobs are connected."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator

from ...errors import UnknownLayerError
from ...layers.registry import BUILT_IN, module_name
from .rule import ERROR, WARNING, Note, View, is_loss, remover, view_rule

# Types whose fields are not in a message called after them; all types may have those of ANY.
PARAMS = {
    "ArgMax": ("argmax_param",), "Deconvolution": ("convolution_param",), "Im2col": ("convolution_param",),
    "LSTM": ("recurrent_param",), "RNN": ("recurrent_param",), "SoftmaxWithLoss": ("softmax_param", "loss_param"),
    "InfogainLoss": ("infogain_loss_param", "loss_param", "softmax_param"),
    "SigmoidCrossEntropyLoss": ("loss_param", "sigmoid_param"), "MultinomialLogisticLoss": ("loss_param",),
    "Data": ("data_param", "transform_param"), "ImageData": ("image_data_param", "transform_param", "data_param"),
    "WindowData": ("window_data_param", "transform_param", "data_param"),
    "HDF5Data": ("hdf5_data_param",), "MemoryData": ("memory_data_param", "transform_param"),
}
# Types whose backward pass reads their own top: nothing may overwrite it.
NEEDS_TOP = frozenset(("Sigmoid", "TanH", "Softmax", "Exp", "ELU", "Power", "LRN", "MVN", "Swish"))
METRICS = frozenset(("Accuracy", "ArgMax"))


@view_rule("unknown-type", ERROR)
def unknown_type(view: View) -> Iterator[Note]:
    """A layer type that is neither built in nor registered cannot be run; types are case sensitive."""
    for row in view.rows:
        if isinstance(row.error, UnknownLayerError):
            yield Note(row, row.error.message, ("type",))


@view_rule("blob-before-made", ERROR)
def blob_before_made(view: View) -> Iterator[Note]:
    """A layer can only read blobs that layers above it make; the order of the file is the order of running."""
    tops = {name: row for row in reversed(view.rows) for name in row.param.top}
    made: set[str] = set()
    for row in view.rows:
        for i, name in enumerate(row.param.bottom):
            if name in made:
                continue
            if name in tops:
                hint = f"layer '{tops[name].param.name}' makes it further down; move that layer up"
            else:
                close = difflib.get_close_matches(name, tops, 1)
                hint = f"did you mean '{close[0]}'?" if close else "no layer makes it"
            yield Note(row, f"bottom '{name}' is not made by a layer above: {hint} (phase {view.phase})", ("bottom", i))
        made.update(row.param.top)


@view_rule("blob-made-twice", ERROR)
def blob_made_twice(view: View) -> Iterator[Note]:
    """A blob has one maker; only a layer that reads it at the same place may write it again (in place)."""
    for row in view.rows:
        if row.problem == "made-twice":
            yield Note(row, f"{_words(row)} in phase {view.phase}", ("top", 0))


@view_rule("in-place-shared", ERROR)
def in_place_shared(view: View) -> Iterator[Note]:
    """A layer in place overwrites its bottom. Where another layer reads that blob too, the original refuses the net."""
    for row in view.rows:
        if row.problem == "in-place":
            yield Note(row, f"{_words(row)}; give the top another name", ("top", 0))


@view_rule("in-place-overwrites", WARNING)
def in_place_overwrites(view: View) -> Iterator[Note]:
    """Some layers compute their gradient from their own output; a layer in place behind them destroys it, and the
    gradient is silently wrong.
    """
    if not view.has_loss:
        return
    for row in view.rows:
        for i, name in enumerate(row.param.top):
            maker = view.maker(name, row)
            if name in row.param.bottom and maker and maker.param.type in NEEDS_TOP and not row.problem:
                yield Note(row, f"works in place on '{name}', but '{maker.param.name}' ({maker.param.type}) needs its "
                                "output for the backward pass; give the top another name", ("top", i))


@view_rule("duplicate-layer", WARNING)
def duplicate_layer(view: View) -> Iterator[Note]:
    """Weights are saved and loaded by layer name: of two layers of one name in one phase, one gets wrong weights."""
    count = Counter(layer.name for layer in view.layers)
    seen = set()
    for row in view.rows:
        name = row.param.name
        if count[name] > 1 and name and name in seen:
            yield Note(row, f"another layer of phase {view.phase} is called '{name}' too", ("name",))
        seen.add(name)


@view_rule("unnamed-layer", WARNING)
def unnamed_layer(view: View) -> Iterator[Note]:
    """A layer without a name cannot be told apart in weight files and messages."""
    for row in view.rows:
        if not row.param.name:
            yield Note(row, f"this {row.param.type} layer has no name")


@view_rule("unused-top", WARNING)
def unused_top(view: View) -> Iterator[Note]:
    """In a net with a loss, a blob that nobody reads is a forgotten connection, and is computed for nothing; it is
    also printed as an output at every display. A Silence layer says that it is meant.
    """
    if not view.has_loss:
        return
    for row in view.rows:
        if is_loss(row.param) or row.param.type in METRICS or (row.param.type == "Python" and row.param.bottom):
            continue
        for i, name in enumerate(row.param.top):
            if not view.readers(row, name):
                yield Note(row, f"nobody reads top '{name}' in phase {view.phase}", ("top", i))


@view_rule("refused", ERROR)
def refused(view: View) -> Iterator[Note]:
    """The layer's own checks refuse its parameters or the shapes of its bottoms: the net cannot be built."""
    for row in view.rows:
        if row.problem == "refused" and not isinstance(row.error, UnknownLayerError):
            bottoms = ", ".join(f"{name} {shape}" for name, shape in zip(row.param.bottom, row.bottoms, strict=True))
            yield Note(row, f"{_words(row)}{f' (bottoms: {bottoms})' if bottoms else ''}")


@view_rule("ignored-params", WARNING)
def ignored_params(view: View) -> Iterator[Note]:
    """A block of parameters that belongs to another type is read by nobody: what it says does not happen."""
    for row in view.rows:
        if row.param.type not in BUILT_IN:
            continue
        known = PARAMS.get(row.param.type, (f"{module_name(row.param.type)}_param",))
        for field, _ in row.param.ListFields():
            if field.name.endswith("_param") and field.name not in known:
                yield Note(row, f"{row.param.type} does not read '{field.name}' (it reads {' and '.join(known)})",
                           (field.name,), remover(field.name))


def _words(row: object) -> str:
    error = getattr(row, "error", None)
    return str(getattr(error, "message", error))
