"""The head of a net: the layers that decide how many classes it scores, and how to change their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import NetError
from .net_document import NetDocument

# Losses and metrics whose bottom[0] are scores, one channel per class.
SCORED = ("SoftmaxWithLoss", "InfogainLoss", "MultinomialLogisticLoss", "HingeLoss", "SigmoidCrossEntropyLoss",
          "Accuracy")
KEEPS_CHANNELS = frozenset(
    ("AbsVal", "BNLL", "BatchNorm", "Bias", "Clip", "Crop", "Dropout", "ELU", "Eltwise", "Exp", "LRN", "Log", "MVN",
     "PReLU", "Pooling", "Power", "ReLU", "Scale", "Sigmoid", "Softmax", "Split", "Swish", "TanH", "Threshold"))
OUTPUTS = {"Convolution": "convolution_param", "Deconvolution": "convolution_param",
           "InnerProduct": "inner_product_param"}


class ScoreLayer(NamedTuple):
    """A layer of the head: its place in the net, and its parameters with `num_output`."""

    place: int
    layer: Any
    through_deconvolution: bool  # whether a Deconvolution stands between it and the scores

    @property
    def param(self) -> Any:
        """The message that holds num_output."""
        return getattr(self.layer, OUTPUTS[self.layer.type])


def heads(layers: Sequence[Any]) -> dict[str, int]:
    """Blobs that hold scores, with the index of their first reader: what losses and metrics read, else the outputs."""
    found: dict[str, int] = {}
    for index, layer in enumerate(layers):
        if layer.type in SCORED and layer.bottom:
            found.setdefault(layer.bottom[0], index)
    if found:
        return found
    read = {name for layer in layers for name in layer.bottom if name not in layer.top}
    return {name: len(layers) for layer in layers for name in layer.top if name not in read and layer.bottom}


def score_layers(layers: Sequence[Any], blob: str, before: int) -> list[ScoreLayer]:
    """The convolutions, deconvolutions and inner products that give `blob`, read by layer `before`, its channels."""
    found: dict[int, ScoreLayer] = {}
    todo = [(blob, before, False)]
    while todo:
        name, before, through = todo.pop()
        index = next((i for i in range(before - 1, -1, -1) if name in layers[i].top), None)
        if index is None or index in found:
            continue
        layer = layers[index]
        if layer.type in OUTPUTS:
            found[index] = ScoreLayer(index, layer, through)
        if layer.type == "Deconvolution" and layer.bottom:
            todo.append((layer.bottom[0], index, True))
        elif layer.type == "Eltwise":
            todo += [(bottom, index, through) for bottom in layer.bottom]
        elif layer.type in KEEPS_CHANNELS and layer.bottom:
            todo.append((layer.bottom[0], index, through))
    return [found[index] for index in sorted(found)]


def classes_of(layers: Sequence[ScoreLayer]) -> set[int]:
    """The numbers of classes that a head's layers give; more than one if they disagree."""
    return {row.param.num_output for row in layers if not row.through_deconvolution}


def change_classes(
    document: NetDocument, classes: int, head: str | None = None, rename: str | None = None, force: bool = False
) -> list[str]:
    """Set the number of classes through the head: scores, and deconvolutions with their groups. Gives the layers.

    head    the blob with the scores, where the net has several heads of different numbers
    rename  new names for the changed layers, such as "{name}_{classes}", so that old weights are not loaded into them

    Raises NetError where no head is found, or where the heads differ and none is chosen.
    """
    if classes < 1:
        raise NetError(f"a net scores at least 1 class, not {classes}")
    rows = list(_chosen(document, head))
    old = classes_of(rows)
    if len(old) != 1:
        raise NetError(f"the scores have different numbers of classes ({', '.join(map(str, sorted(old)))}); choose a "
                       "head by the name of its blob" if old else "no layer with num_output makes the scores")
    before = old.pop()
    changed: list[str] = []
    with document.transaction(force):
        for row, part in [(row, document.layers()[row.place]) for row in rows]:
            if row.param.num_output != before:
                continue
            field = OUTPUTS[row.layer.type]
            part.set(f"{field}.num_output", classes)
            if row.layer.type == "Deconvolution" and row.param.group == before and before > 1:
                part.set(f"{field}.group", classes)
            changed.append(part.name)
        if rename:
            names = dict.fromkeys(changed)
            try:
                changed = [rename.format(name=name, classes=classes) for name in names]
            except (LookupError, ValueError, AttributeError) as error:
                raise NetError(f"'{rename}' is no pattern for names, such as {{name}}_{{classes}}: {error}") from None
            for name, new in zip(names, changed, strict=True):
                document.rename_layer(name, new)
    return changed


def _chosen(document: NetDocument, head: str | None) -> Iterator[ScoreLayer]:
    """The layers of all heads, or of one, each once."""
    layers = document.message().layer
    if len(layers) != len(document.layers()):
        raise NetError("this net is of an old format; upgrade it first (caffe-fcn upgrade)")
    found = heads(layers)
    if head is not None:
        if head not in document.blobs():
            raise NetError(f"the net has no blob '{head}'")
        found = {head: found.get(head, len(layers))}
    rows = {row.place: row for blob, before in found.items() for row in score_layers(layers, blob, before)}
    return iter(rows[place] for place in sorted(rows))
