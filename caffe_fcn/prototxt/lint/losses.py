"""Rules about losses, labels and metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...layers.registry import BUILT_IN, layer_class
from ..shapes import LayerShapes
from .rule import WARNING, Note, View, setter, view_rule

SUMMED = 10_000  # pixels and more: a loss that is summed over them
LARGE_RATE, SMALL_RATE = 1e-5, 1e-7
DOUBLED = {"SoftmaxWithLoss": "Softmax", "InfogainLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid"}


@view_rule("ignore-label", WARNING)
def ignore_label(view: View) -> Iterator[Note]:
    """If the loss leaves out a label and the accuracy does not, the accuracy counts those pixels as wrong, always."""
    by_label = {row.param.bottom[1]: row for row in view.rows
                if row.param.loss_param.HasField("ignore_label") and len(row.param.bottom) > 1}
    for row in view.of_type("Accuracy"):
        loss = by_label.get(row.param.bottom[1]) if len(row.param.bottom) > 1 else None
        if loss is None:
            continue
        wanted = loss.param.loss_param.ignore_label
        given = row.param.accuracy_param
        if not given.HasField("ignore_label") or given.ignore_label != wanted:
            said = f"ignores {given.ignore_label}" if given.HasField("ignore_label") else "counts it"
            yield Note(row, f"the loss '{loss.param.name}' ignores label {wanted}, this accuracy {said}",
                       ("accuracy_param",), setter("accuracy_param.ignore_label", wanted))


@view_rule("normalization-lr", WARNING)
def normalization_lr(view: View) -> Iterator[Note]:
    """A loss that is summed over pixels has gradients as many times larger as there are pixels: it needs a learning
    rate around 1e-10 where a mean takes 1e-3 or so. The wrong pair diverges, or does not learn. (Rates are known when a
    solver is checked.)
    """
    rate = view.solver.base_lr if view.solver is not None else None
    for row in view.of_type("SoftmaxWithLoss", "SigmoidCrossEntropyLoss"):
        pixels = _summed(row)
        field = "normalize" if row.param.loss_param.HasField("normalize") else "normalization"
        if pixels >= SUMMED and rate is not None and rate > LARGE_RATE:
            yield Note(row, f"sums over {pixels} pixels, but base_lr is {rate:g}; use normalization: VALID, or a rate "
                            f"about {pixels} times smaller than usual", ("loss_param", field))
        elif pixels == 1 and rate is not None and 0 < rate < SMALL_RATE and row.bottoms[0] and len(row.bottoms[0]) > 2:
            yield Note(row, f"takes the mean over pixels, but base_lr is {rate:g}, a rate for a sum; use a rate about "
                            "1e-3, or normalization: NONE", ("loss_param", field))


def _summed(row: LayerShapes) -> int:
    """Over how many pixels of one image the loss is a sum, 1 for a mean."""
    loss, scores = row.param.loss_param, row.bottoms[0] if row.bottoms else None
    mode = loss.normalization
    if not loss.HasField("normalization"):
        by_batch = not loss.normalize if loss.HasField("normalize") else row.param.type == "SigmoidCrossEntropyLoss"
        mode = loss.BATCH_SIZE if by_batch else loss.VALID
    if scores is None or mode not in (loss.BATCH_SIZE, loss.NONE):
        return 1
    return math.prod(scores[2:])


@view_rule("loss-weight", WARNING)
def loss_weight(view: View) -> Iterator[Note]:
    """A loss weight makes any layer part of the objective: the sum over all its values is made small. On a layer that
    is no loss this is rarely meant.
    """
    for row in view.rows:
        if row.param.type not in BUILT_IN or row.param.type in ("Reduction", "Split", "Python"):
            continue
        if any(row.param.loss_weight) and not layer_class(row.param.type).is_loss:
            yield Note(row, f"loss_weight on a {row.param.type} layer: the sum of its top becomes part of the "
                            "objective", ("loss_weight", 0))


@view_rule("double-softmax", WARNING)
def double_softmax(view: View) -> Iterator[Note]:
    """The loss applies the softmax (or sigmoid) itself. On probabilities instead of scores it learns slowly and never
    gets sure.
    """
    for row in view.of_type(*DOUBLED):
        maker = view.maker(row.param.bottom[0], row) if row.param.bottom else None
        if maker and maker.param.type == DOUBLED[row.param.type]:
            yield Note(row, f"reads '{row.param.bottom[0]}', which is made by the {maker.param.type} layer "
                            f"'{maker.param.name}'; let it read the scores", ("bottom", 0))


@view_rule("label-gradient", WARNING)
def label_gradient(view: View) -> Iterator[Note]:
    """A label has no gradient; where learned layers make the label blob, the loss stops the training with an error
    unless propagate_down says false for it.
    """
    for row in view.of_type("SoftmaxWithLoss", "SigmoidCrossEntropyLoss", "InfogainLoss", "HingeLoss"):
        if len(row.param.bottom) < 2 or (len(row.param.propagate_down) > 1 and not row.param.propagate_down[1]):
            continue
        if _is_learned(view, row, row.param.bottom[1]):
            yield Note(row, f"the label '{row.param.bottom[1]}' comes from layers that learn; write propagate_down: "
                            "true and propagate_down: false", ("bottom", 1))


def _is_learned(view: View, reader: LayerShapes, blob: str) -> bool:
    """Whether any layer that makes a blob, or what it is made from, has parameters."""
    todo, done = [(blob, reader)], set()
    while todo:
        name, before = todo.pop()
        maker = view.maker(name, before)
        if maker is None or id(maker) in done:
            continue
        done.add(id(maker))
        if maker.blobs and any(i >= len(maker.param.param) or maker.param.param[i].lr_mult != 0
                               for i in range(len(maker.blobs))):
            return True
        todo += [(bottom, maker) for bottom in maker.param.bottom]
    return False
