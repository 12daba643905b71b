"""What the number that a loss layer gives means: how many terms it sums up, and what it divides by."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ... import ops
from ...layers.loss import normalization, normalizer
from ...proto import caffe_pb2
from ..shapes import LayerShapes, NetShapes

MODES = caffe_pb2.LossParameter
MEANING = {
    "FULL": "the mean over all predictions",
    "VALID": "the mean over the predictions whose label is not ignored",
    "BATCH_SIZE": "the sum over the predictions of an image, averaged over the images",
    "NONE": "the sum over all predictions",
}
DEFAULTS = {"SoftmaxWithLoss": MODES.VALID, "InfogainLoss": MODES.VALID, "SigmoidCrossEntropyLoss": MODES.BATCH_SIZE}


class Loss(NamedTuple):
    """A loss layer at the size of the shapes.

    mode         its normalisation: VALID, BATCH_SIZE ...; empty for types that have none
    predictions  how many terms are summed up, if none is ignored
    divisor      what the sum is divided by, then
    start        its value where all classes are equally likely, before its weight; None where that is not known
    """

    layer: str
    type: str
    weight: float
    mode: str
    predictions: int
    divisor: float
    start: float | None
    ignored: int | None

    @property
    def terms(self) -> float:
        """How many times larger loss and gradient are than those of a mean over all predictions."""
        return self.weight * self.predictions / self.divisor


def losses(shapes: NetShapes) -> list[Loss]:
    """The loss layers whose bottoms have a known shape and whose normalisation is known here."""
    found = [_loss(row) for row in shapes.layers if row.param.type in DEFAULTS and row.bottoms and row.bottoms[0]]
    found += [_euclidean(row) for row in shapes.layers
              if row.param.type == "EuclideanLoss" and row.bottoms and row.bottoms[0]]
    order = [row.param.name for row in shapes.layers]
    return sorted(found, key=lambda loss: order.index(loss.layer))


def other_losses(shapes: NetShapes) -> list[str]:
    """Names of further layers with a loss."""
    known = {loss.layer for loss in losses(shapes)}
    return [row.param.name for row in shapes.layers if row.param.name not in known and (
        row.param.type.endswith("Loss") or any(row.param.loss_weight))]


def _weight(param: Any) -> float:
    return param.loss_weight[0] if param.loss_weight else 1.0


def _loss(row: LayerShapes) -> Loss:
    param, shape = row.param, row.bottoms[0] or ()
    mode = normalization(param.loss_param, DEFAULTS[param.type])
    count = math.prod(shape)
    if param.type == "SigmoidCrossEntropyLoss":
        predictions, start = count, math.log(2)
    else:
        axis = (param.softmax_param if param.type == "SoftmaxWithLoss" else param.infogain_loss_param).axis
        classes = shape[axis] if -len(shape) <= axis < len(shape) else 1
        predictions, start = count // max(classes, 1), math.log(max(classes, 1))
    divisor = normalizer(ops.current(), mode, shape[0], predictions, None)
    value = None if param.type == "InfogainLoss" else start * predictions / divisor
    ignored = param.loss_param.ignore_label if param.loss_param.HasField("ignore_label") else None
    return Loss(param.name, param.type, _weight(param), MODES.NormalizationMode.Name(mode), predictions, divisor, value,
                ignored)


def _euclidean(row: LayerShapes) -> Loss:
    shape = row.bottoms[0] or ()
    return Loss(row.param.name, row.param.type, _weight(row.param), "", math.prod(shape), 2.0 * shape[0], None, None)
