"""Preprocessing folded into the first convolution: the order of channels, mean and scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_fcn.errors import NetError, WeightsError
from caffe_fcn.proto import caffe_pb2

from .checks import STRICT, Check, Equal, Named, Subject
from .links import Links, Use
from .model import Model, as_model
from .sources import is_source

SHAPE_ONLY = {("Crop", 1), ("Silence", 0)}  # type, bottom: uses that do not look at the values


def swap_channels(
    subject: Subject, blob: str | None = None, order: Sequence[int] = (2, 1, 0), *, check: Check = STRICT
) -> Subject:
    """Let the net take an input with its channels in another order: BGR becomes RGB, and the other way round.

    blob   the input; without it the only one that Convolutions read
    order  for each channel of the new input its number in the old one
    Raises NetError if something else than Convolutions reads the input's values.
    """
    before = as_model(subject)
    after = before.copy()
    blob, layers = _first_layers(after, blob)
    for layer in layers:
        weight, *bias = _weights(after, layer)
        if layer.convolution_param.group != 1 or sorted(order) != list(range(weight.shape[1])):
            raise NetError(f"layer '{layer.name}' takes {weight.shape[1]} channels (in each of its "
                           f"{layer.convolution_param.group} groups); the order {list(order)} is not for these")
        after.weights[layer.name] = (weight[:, list(order)], *bias)

    def feed(given: Named) -> Named:
        return {**given, blob: given[blob][:, list(order)]}

    return check.conclude(subject, before, after, Equal("swap_channels", feed=feed))


def fold_input(
    subject: Subject, mean: Sequence[float] = (0,), scale: float = 1, blob: str | None = None, as_layer: bool = False,
    *, check: Check = STRICT,
) -> Subject:
    """Let the net take the raw input x where it took (x - mean) * scale.

    mean      one number for each channel, in the order of the input, or one for all
    as_layer  put a Scale layer, `<blob>_prepared`, in front instead of changing the Convolutions

    Exact where the first Convolutions have no padding. With padding and a mean the border would differ, as zeros around
    the raw input are not the mean: refused unless the check is forced; `as_layer` is exact then too.
    Raises NetError if something else than Convolutions reads the input's values.
    """
    before = as_model(subject)
    after = before.copy()
    blob, layers = _first_layers(after, blob)
    means = np.asarray(mean, np.float64)
    if not (np.isfinite(means).all() and np.isfinite(scale) and scale):
        raise NetError(f"mean and scale must be finite numbers, and the scale not 0; got {list(mean)} and {scale}")
    for layer in layers:
        channels = _weights(after, layer)[0].shape[1] * layer.convolution_param.group
        if means.size not in (1, channels):
            raise NetError(f"layer '{layer.name}' takes {channels} channels; {means.size} means do not fit")
        if not as_layer:
            _fold_into(after, layer, means, scale, check.force)
    if as_layer:
        _add_scale(after, blob, layers, np.broadcast_to(means, channels), scale)

    def feed(given: Named) -> Named:
        values = given[blob]
        column = np.broadcast_to(means, values.shape[1]).reshape(-1, *[1] * (values.ndim - 2))
        return {**given, blob: (values / scale + column).astype(np.float32)}

    return check.conclude(subject, before, after, Equal("fold_input", feed=feed))


def _fold_into(model: Model, layer: Any, means: np.ndarray, scale: float, force: bool) -> None:
    """Change a Convolution's weight and bias for raw inputs."""
    p = layer.convolution_param
    if means.any() and (any(p.pad) or p.pad_h or p.pad_w) and not force:
        raise NetError(f"layer '{layer.name}' pads its input: a mean folded into it changes the border of its output; "
                       "force it, put a layer in front (as_layer), or keep subtracting the mean")
    weight, *bias = _weights(model, layer)
    scaled = weight.astype(np.float64) * scale
    taps = scaled.sum(axis=tuple(range(2, weight.ndim)))  # (outputs, channels of a group)
    columns = np.broadcast_to(means, weight.shape[1] * p.group).reshape(p.group, -1)
    columns = columns.repeat(len(weight) // p.group, axis=0)
    old = bias[0].astype(np.float64) if bias else 0.0
    p.ClearField("bias_term")
    model.weights[layer.name] = scaled.astype(np.float32), (old - (taps * columns).sum(axis=1)).astype(np.float32)


def _add_scale(model: Model, blob: str, layers: Sequence[Any], means: np.ndarray, scale: float) -> None:
    """Put a Scale layer between an input and the Convolutions that read it."""
    name = f"{blob}_prepared"
    links = Links(model.net)
    if name in links.last or any(layer.name == name for layer in links.layers):
        raise NetError(f"the net has a layer or blob '{name}' already")
    new = caffe_pb2.LayerParameter(name=name, type="Scale", bottom=[blob], top=[name],
                                   param=[{"lr_mult": 0, "decay_mult": 0}] * 2, scale_param={"bias_term": True})
    for layer in layers:
        layer.bottom[:] = [name if bottom == blob else bottom for bottom in layer.bottom]
    i = links.version(blob)[0]
    model.set_layers([*links.layers[:i + 1], new, *links.layers[i + 1:]])
    model.weights[name] = np.full(len(means), scale, np.float32), (-means * scale).astype(np.float32)


def _first_layers(model: Model, blob: str | None) -> tuple[str, list[Any]]:
    """The input, and the Convolutions that read it; what only asks for its shape does not count."""
    links = Links(model.net)
    if blob is None:
        inputs = {links.blob(top) for top, uses in links.uses.items() if is_source(links.layers[top[0]])
                  and any(links.layers[i].type == "Convolution" for i, _ in uses)}
        if len(inputs) != 1:
            raise NetError(f"name the input to change: Convolutions read {sorted(inputs) or 'none directly'}")
        blob = inputs.pop()
    layer = links.layers[links.version(blob)[0]]
    if not is_source(layer):
        raise NetError(f"'{blob}' is no input of the net: layer '{layer.name}' makes it from others")
    t = layer.transform_param
    if t.mean_value or t.mean_file or t.scale != 1:
        raise NetError(f"layer '{layer.name}' has a mean or a scale of its own in transform_param; take it away first")
    uses = [use for use in links.uses[links.version(blob)] if not _shape_only(links, use)]
    for i, _ in uses:
        reader = links.layers[i]
        if reader.type != "Convolution":
            raise NetError(f"layer '{reader.name}' ({reader.type}) reads '{blob}' too; only Convolutions can change")
        model.check_unshared(reader)
    if not uses:
        raise NetError(f"nothing reads the values of the input '{blob}'")
    return blob, [links.layers[i] for i, _ in uses]


def _shape_only(links: Links, use: Use) -> bool:
    return (links.layers[use[0]].type, use[1]) in SHAPE_ONLY


def _weights(model: Model, layer: Any) -> Sequence[np.ndarray]:
    if layer.name not in model.weights:
        raise WeightsError(f"layer '{layer.name}' has no weights to change; load them with the net")
    return model.weights[layer.name]
