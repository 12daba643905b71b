"""Single fields that moved: old data transformations, `input` of a net, param specs of BatchNorm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffe_fcn.errors import NetError
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.upgrade.messages import set_field

if TYPE_CHECKING:
    from caffe_fcn.proto.caffe_pb2 import NetParameter

# V1 types (by enum name) that once had the transformation among their own parameters.
DATA_PARAMS = {"DATA": "data_param", "IMAGE_DATA": "image_data_param", "WINDOW_DATA": "window_data_param"}
TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")

AXES = 4  # each input takes four values of input_dim: num, channels, height, width


def _data_layers(net: NetParameter):
    """Every V1 data layer with the name of its parameters. Current layers are left alone, as in the original."""
    for layer in net.layers:
        name = DATA_PARAMS.get(layer.LayerType.Name(layer.type))
        if name:
            yield layer, name


def data_needed(net: NetParameter) -> bool:
    """Tell whether a V1 data layer has a transformation in the old place."""
    return any(getattr(layer, name).HasField(field) for layer, name in _data_layers(net) for field in TRANSFORM_FIELDS)


def apply_data(net: NetParameter) -> list[str]:
    """Move old transformations of V1 data layers to transform_param, in place.

    As in the original, every data layer of the net then has both messages, even where they stay empty.
    """
    for layer, name in _data_layers(net):
        param = getattr(layer, name)
        param.SetInParent()
        layer.transform_param.SetInParent()
        for field in TRANSFORM_FIELDS:
            if param.HasField(field):
                set_field(layer.transform_param, field, getattr(param, field))
                param.ClearField(field)
    return []


def input_needed(net: NetParameter) -> bool:
    """Tell whether the net has `input` fields; dimensions alone do not count."""
    return len(net.input) > 0


def apply_input(net: NetParameter) -> list[str]:
    """Put one Input layer called "input" in front, in place of the `input` fields.

    Inputs without any shape vanish, as in the original; the weights file of an old net has such.
    Raises NetError where there are shapes but not enough for all inputs.
    """
    shapes = _input_shapes(net)
    if shapes:
        layer = caffe_pb2.LayerParameter(name="input", type="Input")
        set_field(layer, "top", net.input)
        for shape in shapes:
            layer.input_param.shape.add(dim=shape)
        net.layer.insert(0, layer)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
    return []


def _input_shapes(net: NetParameter) -> list[list[int]]:
    """The shape of each input, or none at all; `input_shape` wins over `input_dim`, surplus values are ignored."""
    count = len(net.input)
    if net.input_shape:
        if len(net.input_shape) < count:
            raise NetError(f"{count} input but only {len(net.input_shape)} input_shape; give one for each input")
        return [list(shape.dim) for shape in net.input_shape[:count]]
    if net.input_dim:
        if len(net.input_dim) < AXES * count:
            raise NetError(
                f"{count} input but only {len(net.input_dim)} input_dim; give {AXES} for each input, or use input_shape"
            )
        return [list(net.input_dim[AXES * i : AXES * (i + 1)]) for i in range(count)]
    return []


def _old_batch_norms(net: NetParameter):
    return (layer for layer in net.layer if layer.type == "BatchNorm" and len(layer.param) == 3)


def batch_norm_needed(net: NetParameter) -> bool:
    """Tell whether a BatchNorm layer has param specs for its three blobs, which are no longer learned by a solver."""
    return any(True for _ in _old_batch_norms(net))


def apply_batch_norm(net: NetParameter) -> list[str]:
    """Set rate and decay of those param specs to 0, in place; names stay."""
    for layer in _old_batch_norms(net):
        for spec in layer.param:
            spec.lr_mult = 0
            spec.decay_mult = 0
    return []
