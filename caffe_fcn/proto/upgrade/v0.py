"""V0 nets: `layers { layer { type: "conv" kernelsize: 3 } }`, all parameters of all types in one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffe_fcn.errors import NetError
from caffe_fcn.proto.upgrade.messages import set_field

if TYPE_CHECKING:
    from caffe_fcn.proto.caffe_pb2 import NetParameter, V1LayerParameter

# The name of a V0 type as V1 has it. Padding layers are gone before this is asked.
TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

# The V1 message that holds the parameters of a V0 type.
PARAMS = {
    "concat": "concat_param",
    "conv": "convolution_param",
    "data": "data_param",
    "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param",
    "lrn": "lrn_param",
    "pool": "pooling_param",
    "window_data": "window_data_param",
}

# V0 field: its V1 name, and the V0 types that it belongs to.
FIELDS = {
    "num_output": ("num_output", ("conv", "innerproduct")),
    "biasterm": ("bias_term", ("conv", "innerproduct")),
    "weight_filler": ("weight_filler", ("conv", "innerproduct")),
    "bias_filler": ("bias_filler", ("conv", "innerproduct")),
    "pad": ("pad", ("conv", "pool")),
    "kernelsize": ("kernel_size", ("conv", "pool")),
    "group": ("group", ("conv",)),
    "stride": ("stride", ("conv", "pool")),
    "pool": ("pool", ("pool",)),
    "dropout_ratio": ("dropout_ratio", ("dropout",)),
    "local_size": ("local_size", ("lrn",)),
    "alpha": ("alpha", ("lrn",)),
    "beta": ("beta", ("lrn",)),
    "k": ("k", ("lrn",)),
    "source": ("source", ("data", "hdf5_data", "images", "window_data", "infogain_loss")),
    "batchsize": ("batch_size", ("data", "hdf5_data", "images", "window_data")),
    "rand_skip": ("rand_skip", ("data", "images")),
    "shuffle_images": ("shuffle", ("images",)),
    "new_height": ("new_height", ("images",)),
    "new_width": ("new_width", ("images",)),
    "concat_dim": ("concat_dim", ("concat",)),
    "det_fg_threshold": ("fg_threshold", ("window_data",)),
    "det_bg_threshold": ("bg_threshold", ("window_data",)),
    "det_fg_fraction": ("fg_fraction", ("window_data",)),
    "det_context_pad": ("context_pad", ("window_data",)),
    "det_crop_mode": ("crop_mode", ("window_data",)),
}

# These go to transform_param on a layer of any type.
TRANSFORMS = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}

# No layer of the original ever read these; they go without a word.
UNUSED = ("new_num", "new_channels")

KEPT = ("name", "blobs", "blobs_lr", "weight_decay")

# What a V0 net keeps besides its layers; the rest (state, input_shape, debug_info) is dropped, as in the original.
NET_FIELDS = ("name", "input", "input_dim", "force_backward")


def needed(net: NetParameter) -> bool:
    """Tell whether any layer is a V0 layer."""
    return any(connection.HasField("layer") for connection in net.layers)


def apply(net: NetParameter) -> list[str]:
    """Turn the V0 layers into V1 layers, in place; gives one problem for each field that its type does not have.

    Raises NetError for an unknown type and for padding that cannot be merged.
    """
    problems: list[str] = []
    result = type(net)()
    for field, value in net.ListFields():
        if field.name in NET_FIELDS:
            set_field(result, field.name, value)
    for connection in _merge_padding(net):
        problems += _convert(connection, result.layers.add())
    net.CopyFrom(result)
    return problems


def _merge_padding(net: NetParameter) -> list[V1LayerParameter]:
    """Copies of the layers, where `pad` of a convolution or pooling stands for a padding layer in front of it."""
    producers: dict[str, V1LayerParameter | None] = dict.fromkeys(net.input)
    kept: list[V1LayerParameter] = []
    for connection in net.layers:
        merged = type(connection)()
        merged.CopyFrom(connection)
        for j, blob in enumerate(connection.bottom):
            if blob not in producers:
                raise NetError(f"layer '{connection.layer.name}': unknown bottom blob '{blob}'")
            padding = producers[blob]
            if padding is not None and padding.layer.type == "padding":
                _check_padding(padding, connection)
                merged.layer.pad = padding.layer.pad
                merged.bottom[j] = padding.bottom[0]
        if connection.layer.type != "padding":
            kept.append(merged)
        producers.update(dict.fromkeys(connection.top, connection))
    return kept


def _check_padding(padding: V1LayerParameter, user: V1LayerParameter) -> None:
    where = f"padding layer '{padding.layer.name}'"
    if user.layer.type not in ("conv", "pool"):
        raise NetError(
            f"{where} is followed by layer '{user.layer.name}' of type '{user.layer.type}'; "
            "only a conv or pool layer can take its padding over"
        )
    if len(user.bottom) != 1:
        raise NetError(f"{where} is followed by layer '{user.layer.name}', which must have exactly one bottom")
    if len(padding.bottom) != 1 or len(padding.top) != 1:
        raise NetError(f"{where} must have exactly one bottom and one top")


def _convert(connection: V1LayerParameter, new: V1LayerParameter) -> list[str]:
    """Fill a V1 layer from a V0 one; a layer that has no V0 part keeps only its bottoms and tops."""
    set_field(new, "bottom", connection.bottom)
    set_field(new, "top", connection.top)
    old = connection.layer
    if old.HasField("type"):
        if old.type not in TYPES:
            raise NetError(f"layer '{old.name}': unknown V0 layer type '{old.type}'; known are {', '.join(TYPES)}")
        new.type = new.LayerType.Value(TYPES[old.type])
    problems = []
    for field, value in old.ListFields():
        if field.name in KEPT:
            set_field(new, field.name, value)
        elif field.name in TRANSFORMS:
            set_field(new.transform_param, TRANSFORMS[field.name], value)
        elif field.name in FIELDS and old.type in FIELDS[field.name][1]:
            set_field(getattr(new, PARAMS[old.type]), FIELDS[field.name][0], value)
        elif field.name == "hdf5_output_param" and old.type == "hdf5_output":
            set_field(new, field.name, value)
        elif field.name != "type" and field.name not in UNUSED:
            problems.append(f"layer '{old.name}': field '{field.name}' does not belong to type '{old.type}'; left out")
    return problems
