"""What a layer does, in a few words, and what kind of layer it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...layers.loss import normalization
from ...proto import caffe_pb2

DATA_TYPES = ("Data", "DummyData", "HDF5Data", "ImageData", "Input", "MemoryData", "WindowData")
KINDS = {
    **dict.fromkeys(DATA_TYPES, "data"),
    **dict.fromkeys(("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution", "Im2col", "InnerProduct"), "conv"),
    **dict.fromkeys(("Pooling", "SPP"), "pool"),
    **dict.fromkeys(("Deconvolution", "Interp", "Upsample"), "up"),
    **dict.fromkeys(("Concat", "Crop", "Eltwise", "Slice"), "join"),
    "Accuracy": "loss",
    "SegAccuracy": "loss",
}
MISSING = "missing"  # the type of what stands for a blob that no layer makes
LONGEST = 40  # characters of a name that are shown


def kind_of(layer: Any) -> str:
    """The kind of a LayerParameter: data, conv, pool, up, join, loss or other."""
    if layer.type.endswith("Loss"):
        return "loss"
    return KINDS.get(layer.type, "other" if layer.bottom else "data")


def clean(name: str) -> str:
    """A name on one line, without what cannot be shown, cut where it is very long."""
    name = "".join(character if character.isprintable() else "?" for character in name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."


def describe(layer: Any) -> str:
    """The type of a LayerParameter with what matters most: ``Convolution 3x3, pad 100``."""
    details = _DETAILS.get(layer.type, lambda layer: [])(layer)
    return ", ".join([layer.type, *details]).replace(f"{layer.type}, ", f"{layer.type} ", 1)


def shape_text(shape: Sequence[int] | None) -> str:
    """``64x500x500`` for images, of which the batch size is left out; all numbers for other blobs."""
    if shape is None:
        return "?"
    return "x".join(map(str, shape[1:] if len(shape) == 4 else shape)) or "scalar"


def _square(values: tuple[int, ...]) -> str:
    return "x".join(map(str, values * 2 if len(values) == 1 else values))


def _same(values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "x".join(map(str, values))


def _geometry(param: Any, field: str) -> tuple[int, ...]:
    """kernel, stride or pad of a convolution or pooling; empty where it is not written."""
    if param.HasField(f"{field}_h") or param.HasField(f"{field}_w"):
        return getattr(param, f"{field}_h"), getattr(param, f"{field}_w")
    value = getattr(param, "kernel_size" if field == "kernel" else field)
    return (value,) if isinstance(value, int) else tuple(value)


def _convolution(layer: Any) -> list[str]:
    param = layer.convolution_param
    kernel, stride, pad = (_geometry(param, field) for field in ("kernel", "stride", "pad"))
    return [_square(kernel), *_stride_pad(stride, pad), *(f"dilation {_same(d)}" for d in [tuple(param.dilation)]
            if any(n != 1 for n in d)), *([f"group {param.group}"] if param.group != 1 else [])]


def _pooling(layer: Any) -> list[str]:
    param = layer.pooling_param
    method = caffe_pb2.PoolingParameter.PoolMethod.Name(param.pool)
    if param.global_pooling:
        return [f"{method} of all"]
    return [f"{method} {_square(_geometry(param, 'kernel'))}",
            *_stride_pad(_geometry(param, "stride"), _geometry(param, "pad"))]


def _stride_pad(stride: tuple[int, ...], pad: tuple[int, ...]) -> list[str]:
    return [*([f"stride {_same(stride)}"] if any(n != 1 for n in stride) else []),
            *([f"pad {_same(pad)}"] if any(pad) else [])]


def _loss(layer: Any) -> list[str]:
    param, modes = layer.loss_param, caffe_pb2.LossParameter
    default = modes.BATCH_SIZE if layer.type == "SigmoidCrossEntropyLoss" else modes.VALID
    ignored = [f"ignore {param.ignore_label}"] if param.HasField("ignore_label") else []
    return [f"per {modes.NormalizationMode.Name(normalization(param, default))}", *ignored, *_weights(layer)]


def _weights(layer: Any) -> list[str]:
    return [f"weight {weight:g}" for weight in layer.loss_weight if weight != 1]


_DETAILS: dict[str, Callable[[Any], list[str]]] = {
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "ConvolutionDepthwise": _convolution,
    "DepthwiseConvolution": _convolution,
    "Pooling": _pooling,
    "Crop": lambda layer: [f"offset {', '.join(map(str, layer.crop_param.offset)) or 0}"],
    "Eltwise": lambda layer: [caffe_pb2.EltwiseParameter.EltwiseOp.Name(layer.eltwise_param.operation)],
    "Dropout": lambda layer: [f"{layer.dropout_param.dropout_ratio:g}"],
    "Python": lambda layer: [clean(f"{layer.python_param.module}.{layer.python_param.layer}")],
    "SoftmaxWithLoss": _loss,
    "SigmoidCrossEntropyLoss": _loss,
    "EuclideanLoss": _weights,
}
