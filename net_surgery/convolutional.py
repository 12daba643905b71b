"""Inner products to convolutions and back: the same numbers, but for inputs of any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from caffe_fcn.errors import NetError

from .checks import STRICT, Check, Equal, Subject, blob_shapes
from .links import Links
from .model import Model, as_model
from .sliding import larger_input

FIELDS = ("num_output", "bias_term", "weight_filler", "bias_filler")  # that both kinds of layers have


def fully_convolutional(
    subject: Subject, layers: Sequence[str] | None = None, *, check: Check = STRICT
) -> Subject:
    """Turn InnerProduct layers (all, or those named) into Convolutions whose kernel is the bottom's map.

    An input of the net's size gives the same values, with two more axes of size 1; a larger one gives a map of them,
    as if the net had been moved over the input (Long et al., "Fully convolutional networks for semantic segmentation",
    2015). Both is checked; the latter where nothing pads, as padding makes the border of a crop unlike the middle of an
    image. Flatten layers in front of them go. Layers keep their names.

    Raises NetError for a layer that cannot be converted, and if the check fails.
    """
    before = as_model(subject)
    after = before.copy()
    wanted = _wanted(after, layers, "InnerProduct")
    shapes = blob_shapes(before, check.shapes)
    _without_flatten(after, wanted)
    lifted: set[str] = set()  # blobs (N, K) that become (N, K, 1, 1)
    for layer in after.net.layer:
        if layer.name in wanted:
            bottom = layer.bottom[0]
            shape = (*shapes[bottom], 1, 1) if bottom in lifted else shapes[bottom]
            _to_convolution(after, layer, shape)
            lifted.update(layer.top)
        elif lifted.intersection(layer.bottom) and layer.type != "InnerProduct":
            lifted.update(top for top in layer.top if len(shapes[top]) == 2)
    larger = larger_input(before, after, wanted, shapes)
    return check.conclude(subject, before, after, Equal("fully_convolutional"), *larger)


def to_inner_product(subject: Subject, layers: Sequence[str] | None = None, *, check: Check = STRICT) -> Subject:
    """Turn Convolutions whose kernel is the whole of their bottom into InnerProducts: the way back.

    Without `layers` all such Convolutions are converted. Raises NetError for one that moves over its bottom.
    """
    before = as_model(subject)
    after = before.copy()
    shapes = blob_shapes(before, check.shapes)
    wanted = set(layers) if layers is not None else {
        layer.name for layer in after.net.layer if layer.type == "Convolution" and not _obstacle(layer, shapes)}
    if not wanted:
        raise NetError("no Convolution has a kernel that is the whole of its bottom (at the net's input size)")
    for name in wanted:
        layer = after.layer(name, "Convolution")
        obstacle = _obstacle(layer, shapes)
        if obstacle:
            raise NetError(f"layer '{name}' is no inner product: {obstacle}")
        after.check_unshared(layer)
        _move_fields(layer.convolution_param, layer.inner_product_param)
        layer.ClearField("convolution_param")
        layer.type = "InnerProduct"
        if name in after.weights:
            weight, *bias = after.weights[name]
            after.weights[name] = (weight.reshape(len(weight), -1), *bias)
    return check.conclude(subject, before, after, Equal("to_inner_product"))


def _wanted(model: Model, layers: Iterable[str] | None, kind: str) -> set[str]:
    names = model.of_type(kind) if layers is None else list(layers)
    if not names:
        raise NetError(f"the net has no {kind} layer to convert")
    for name in names:
        model.check_unshared(model.layer(name, kind))
    return set(names)


def _without_flatten(model: Model, wanted: set[str]) -> None:
    """Take out Flatten layers all of whose readers are converted."""
    links, gone = Links(model.net), set()
    for i, layer in enumerate(links.layers):
        readers = links.readers((i, 0)) if layer.type == "Flatten" else []
        if readers and all(reader.name in wanted for reader in readers):
            for reader in readers:
                reader.bottom[0] = layer.bottom[0]
            gone.add(i)
    model.set_layers(layer for i, layer in enumerate(links.layers) if i not in gone)


def _to_convolution(model: Model, layer: Any, shape: Sequence[int]) -> None:
    source = layer.inner_product_param
    if source.axis not in (1, 1 - len(shape)):
        raise NetError(f"layer '{layer.name}' has axis {source.axis}; only axis 1 can become a convolution")
    if len(shape) != 4:
        raise NetError(f"layer '{layer.name}' reads '{layer.bottom[0]}' of shape {tuple(shape)}: there is no map to "
                       "move over; convert the layers before it too")
    if layer.name in model.weights:
        weight, *bias = model.weights[layer.name]
        weight = weight.T if source.transpose else weight
        model.weights[layer.name] = (weight.reshape(len(weight), *shape[1:]), *bias)
    target = layer.convolution_param
    _move_fields(source, target)
    if shape[2] == shape[3]:
        target.kernel_size.append(shape[2])
    else:
        target.kernel_h, target.kernel_w = shape[2:]
    layer.ClearField("inner_product_param")
    layer.type = "Convolution"


def _move_fields(source: Any, target: Any) -> None:
    for field in FIELDS:
        if source.HasField(field):
            value = getattr(source, field)
            if field.endswith("filler"):
                getattr(target, field).CopyFrom(value)
            else:
                setattr(target, field, value)


def _obstacle(layer: Any, shapes: Any) -> str:
    """Why a Convolution is no inner product over its bottom, or nothing."""
    p, shape = layer.convolution_param, shapes.get(layer.bottom[0], ())
    if len(layer.bottom) != 1 or len(shape) != 4:
        return f"it needs one bottom with 4 axes, not {shape}"
    size = p.kernel_size
    kernel = (p.kernel_h, p.kernel_w) if p.kernel_h or p.kernel_w else (size[0], size[-1]) if size else ()
    if kernel != tuple(shape[2:]):
        return f"its kernel {kernel} is not the map {shape[2:]} of its bottom (at the net's input size)"
    if p.group != 1 or any(p.pad) or p.pad_h or p.pad_w or any(d != 1 for d in p.dilation):
        return "it has groups, padding or dilation"
    return ""
