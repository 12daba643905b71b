"""A net for training stripped to what prediction needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from caffe_fcn import TEST
from caffe_fcn.errors import NetError
from caffe_fcn.graph import filter_net, with_state

from .checks import STRICT, Check, Equal, Named, Shapes, Subject
from .links import Links, bypass
from .model import Model, as_model
from .pruning import keep_only
from .sources import input_layer, is_source, source_shapes

TRAINING = ("Accuracy", "Silence", "HDF5Output")  # and losses
FILLERS = ("weight_filler", "bias_filler", "filler")


def deploy(
    subject: Subject, outputs: Sequence[str] | None = None, shapes: Shapes | None = None, softmax: bool = False, *,
    check: Check = STRICT,
) -> Subject:
    """Strip a net to its TEST phase without losses, accuracies, labels, Dropout, fillers and learning rates.

    Data layers become Input layers.

    outputs  blobs to keep; without them what the losses read, and outputs of other layers
    shapes   of the inputs by name, where data layers do not say them (`check.shapes` will do too)
    softmax  put a Softmax behind the scores of each SoftmaxWithLoss, as `prob`
    Raises NetError where an input's shape is not known.
    """
    before = as_model(subject)
    after = before.copy()
    after.net.CopyFrom(filter_net(with_state(before.net, TEST)))
    after.net.ClearField("state")
    found = _scores(after) if outputs is None else list(outputs)
    _strip(after)
    added = _add_softmax(after) if softmax else []
    keep_only(after, [*found, *added])
    _without_dropout(after)
    known = {**(check.shapes or {}), **(shapes or {})}
    links = Links(after.net)
    after.set_layers(part for i, layer in enumerate(links.layers) for part in (
        _inputs(links, i, known) if is_source(layer) else [layer]))

    def feed(given: Named) -> Named:
        return {top: given[top] for layer in after.net.layer if layer.type == "Input" for top in layer.top}

    equal = Equal("deploy", {name: name for name in found}, feed)
    return dataclasses.replace(check, shapes=known).conclude(subject, before, after, equal)


def _strip(model: Model) -> None:
    """Clear what only training reads; fillers stay where no weights are known."""
    for layer in model.net.layer:
        for field in ("include", "exclude", "phase", "propagate_down", "loss_weight"):
            layer.ClearField(field)
        for spec in layer.param:
            spec.ClearField("lr_mult")
            spec.ClearField("decay_mult")
        if not any(spec.name for spec in layer.param):
            layer.ClearField("param")
        if layer.name in model.weights:
            for field, param in layer.ListFields():
                for name in FILLERS if field.name.endswith("_param") else ():
                    if name in param.DESCRIPTOR.fields_by_name:
                        param.ClearField(name)


def _scores(model: Model) -> list[str]:
    """What losses read first, and the outputs of layers that are neither for training nor sources."""
    links, found = Links(model.net), []
    for i, layer in enumerate(links.layers):
        if layer.type.endswith("Loss") or any(layer.loss_weight):
            found.append(layer.bottom[0])
        elif layer.type not in TRAINING and not is_source(layer):
            found += [layer.top[j] for j in range(len(layer.top)) if not links.uses[i, j]]
    if not found:
        raise NetError("no layer scores anything: name the outputs to keep")
    return list(dict.fromkeys(found))


def _add_softmax(model: Model) -> list[str]:
    """Add a Softmax for each SoftmaxWithLoss; returns the names of its tops."""
    losses = [layer for layer in model.net.layer if layer.type == "SoftmaxWithLoss"]
    if not losses:
        raise NetError("there is no SoftmaxWithLoss whose probabilities could be kept")
    names = ["prob"] if len(losses) == 1 else [f"prob_{loss.name}" for loss in losses]
    for name, loss in zip(names, losses, strict=True):
        layer = model.net.layer.add(name=name, type="Softmax", bottom=loss.bottom[:1], top=[name])
        if loss.softmax_param.HasField("axis"):
            layer.softmax_param.axis = loss.softmax_param.axis
    return names


def _without_dropout(model: Model) -> None:
    """Take out Dropout layers, except where that would rename an output."""
    for name in model.of_type("Dropout"):
        links = Links(model.net)
        i = links.index(name)
        source, layer = links.sources[i][0], links.layers[i]
        if layer.bottom[0] == layer.top[0] or (source is not None and len(links.uses[source]) == 1):
            bypass(model, name)


def _inputs(links: Links, index: int, shapes: Shapes) -> list[Any]:
    """Input layers for the tops of a source that somebody reads."""
    layer = links.layers[index]
    own = source_shapes(layer)
    read = [j for j in range(len(layer.top)) if links.uses[index, j]]
    result = []
    for j in read:
        top = layer.top[j]
        shape = shapes.get(top, own[j])
        if shape is None:
            raise NetError(f"the shape of the input '{top}' is not known, as layer '{layer.name}' ({layer.type}) reads "
                           f"data: give shapes, like {top} = [1, 3, 500, 500]")
        result.append(input_layer(layer.name if len(read) == 1 else top, top, shape))
    return result
