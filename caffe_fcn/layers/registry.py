"""The table of layer types. One module per type, named after it, is imported when the type is first used."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable
from typing import Any

from ..errors import UnknownLayerError
from ..vectors import StringVec
from .base import Layer, LayerContext

# The types of Caffe 1.0, in the order of its layer_type_list().
BUILT_IN: tuple[str, ...] = (
    "AbsVal", "Accuracy", "ArgMax", "BNLL", "BatchNorm", "BatchReindex", "Bias", "Clip", "Concat",
    "ContrastiveLoss", "Convolution", "Crop", "Data", "Deconvolution", "Dropout", "DummyData", "ELU", "Eltwise",
    "Embed", "EuclideanLoss", "Exp", "Filter", "Flatten", "HDF5Data", "HDF5Output", "HingeLoss", "Im2col",
    "ImageData", "InfogainLoss", "InnerProduct", "Input", "LRN", "LSTM", "LSTMUnit", "Log", "MVN", "MemoryData",
    "MultinomialLogisticLoss", "PReLU", "Parameter", "Pooling", "Power", "Python", "RNN", "ReLU", "Reduction",
    "Reshape", "SPP", "Scale", "Sigmoid", "SigmoidCrossEntropyLoss", "Silence", "Slice", "Softmax",
    "SoftmaxWithLoss", "Split", "Swish", "TanH", "Threshold", "Tile", "WindowData",
)
# Types of well-known forks, and the module in forks/ that holds them; a user may register another class instead.
FORKS: dict[str, str] = {
    "AutoCrop": "auto_crop", "Axpy": "axpy", "BN": "bn",
    "ClassBalancedSigmoidCrossEntropyLoss": "class_balanced_sigmoid_cross_entropy_loss",
    "ConvolutionDepthwise": "depthwise_convolution", "DenseImageData": "dense_image_data",
    "DepthwiseConvolution": "depthwise_convolution", "DetectionOutput": "detection_output",
    "ImageLabelmapData": "image_labelmap_data", "ImageSegData": "image_seg_data", "Interp": "interp",
    "Normalize": "normalize", "Permute": "permute", "PriorBox": "prior_box", "ReLU6": "relu6",
    "SegAccuracy": "seg_accuracy", "ShuffleChannel": "shuffle_channel", "Upsample": "upsample",
}
_registered: dict[str, type[Layer]] = {}


def module_name(type_name: str) -> str:
    """The module that holds a type: `SoftmaxWithLoss` is in softmax_with_loss, `BNLL` in bnll.

    >>> [module_name(t) for t in ("SoftmaxWithLoss", "BNLL", "HDF5Data", "LSTMUnit", "PReLU", "Im2col")]
    ['softmax_with_loss', 'bnll', 'hdf5_data', 'lstm_unit', 'prelu', 'im2col']
    """
    if type_name in ("PReLU", "ReLU", "TanH"):
        return type_name.lower()
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", type_name).lower()


def register(type_name: str) -> Callable[[type[Layer]], type[Layer]]:
    """Class decorator: make a Layer subclass available under a prototxt `type`.

    >>> @register("Double")
    ... class Double(Layer):
    ...     bottoms = tops = 1
    """

    def add(cls: type[Layer]) -> type[Layer]:
        _registered[type_name] = cls
        if cls.__module__.startswith(f"{__package__}."):
            cls.__name__ = "Layer"  # what scripts see of a built-in layer; __qualname__, and so repr, stay
        return cls

    return add


def is_users_own(type_name: str) -> bool:
    """Did a user register a class of their own for this type?"""
    return type_name in _registered and not _registered[type_name].__module__.startswith(f"{__package__}.")


def layer_class(type_name: str) -> type[Layer]:
    """The class of a layer type.

    Raises UnknownLayerError, with close matches, for a type that is neither built in nor registered.
    """
    if type_name not in _registered and type_name in BUILT_IN:
        importlib.import_module(f"{__package__}.{module_name(type_name)}")
    elif type_name not in _registered and type_name in FORKS:
        importlib.import_module(f"{__package__}.forks.{FORKS[type_name]}")
    if type_name not in _registered:
        raise _unknown(type_name)
    return _registered[type_name]


def _unknown(type_name: str) -> UnknownLayerError:
    from .forks.elsewhere import forks_with

    known, forks = [*layer_type_list(), *FORKS], forks_with(type_name)
    close = [name for name in known if name.lower() == type_name.lower()]
    close = close or difflib.get_close_matches(type_name, known, 3, 0.6)
    hint = ""
    if forks:
        hint = f", which this package does not have; the Caffe of {forks} has it"
    elif close:
        hint = f"; did you mean {' or '.join(repr(name) for name in close)}?"
    return UnknownLayerError(f"unknown layer type '{type_name}'{hint} (add a type of your own: a class derived from "
                             f"caffe_fcn.Layer, with @caffe_fcn.register(\"{type_name}\") above it; see docs/forks.md)")


def create_layer(param: Any, context: LayerContext) -> Layer:
    """Make the layer that a LayerParameter asks for."""
    return layer_class(param.type).create(param, context)


def layer_type_list() -> StringVec:
    """All layer types by name: Caffe's own in its order, then those that users registered (not those of forks)."""
    return StringVec([*BUILT_IN, *sorted(set(_registered) - set(BUILT_IN) - set(FORKS))])
