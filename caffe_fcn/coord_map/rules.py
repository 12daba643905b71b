"""What each layer type does to coordinates: a sliding window, a transposed one, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class UndefinedMap(ValueError):
    """The coordinates of a layer's top do not follow from those of its bottom."""


class AxisMismatch(ValueError):
    """Layers on the way between two blobs work on different axes."""


class Window(NamedTuple):
    """A layer along one axis: top pixel i sees bottom pixels i*stride - pad ... + size - 1 (size counts dilation).

    transposed: the roles of top and bottom are exchanged, as in Deconvolution.
    """

    size: int = 1
    stride: int = 1
    pad: int = 0
    transposed: bool = False


class LayerWindows(NamedTuple):
    """`axis` as of CoordMap; one Window for each axis behind it, or a single one for all."""

    axis: int | None = None
    axes: tuple[Window, ...] = (Window(),)


Rule = Callable[[Any], LayerWindows]
_RULES: dict[str, Rule] = {}

# Types that leave coordinates as they are. Normalisation over the whole plane counts as such.
PASS_THROUGH = (
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Clip", "Concat", "Dropout", "ELU", "Eltwise", "Exp", "LRN", "Log", "MVN",
    "PReLU", "Power", "ReLU", "Scale", "Sigmoid", "Silence", "Slice", "Softmax", "Split", "Swish", "TanH", "Threshold",
    "BN", "ReLU6", "ShuffleChannel", "Axpy", "Normalize",
)


def register_windows(*types: str) -> Callable[[Rule], Rule]:
    """Decorator: a function from LayerParameter to LayerWindows, for these layer types."""

    def add(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(types, rule))
        return rule

    return add


def layer_windows(layer: Any) -> LayerWindows:
    """What a LayerParameter does to coordinates.

    Raises UndefinedMap, naming the layer, for types that do not keep to a grid.
    """
    if layer.type in _RULES:
        found = _RULES[layer.type](layer)
        if any(window.stride == 0 for window in found.axes):
            raise UndefinedMap(f"layer '{layer.name}' ({layer.type}) has a stride of 0")
        return found
    if layer.type in PASS_THROUGH:
        return LayerWindows()
    raise UndefinedMap(f"layer '{layer.name}' ({layer.type}) does not map coordinates to coordinates")


@register_windows("Convolution", "Im2col", "ConvolutionDepthwise", "DepthwiseConvolution")
def _convolution(layer: Any) -> LayerWindows:
    p = layer.convolution_param
    kernel, stride, pad = _sizes(p, "kernel_size", "kernel"), _sizes(p, "stride", "stride"), _sizes(p, "pad", "pad")
    dilation = tuple(p.dilation)
    if not kernel:
        raise UndefinedMap(f"layer '{layer.name}' ({layer.type}) has no kernel_size")
    given = {"kernel_size": kernel, "stride": stride or (1,), "pad": pad or (0,), "dilation": dilation or (1,)}
    count = max(map(len, given.values()))
    for field, values in given.items():
        if len(values) not in (1, count):
            raise UndefinedMap(f"layer '{layer.name}' ({layer.type}): '{field}' is given {len(values)} times for "
                               f"{count} axes")
    axes = tuple(Window((k - 1) * d + 1, s, p, layer.type == "Deconvolution")
                 for k, s, p, d in zip(*(v if len(v) == count else v * count for v in given.values()), strict=True))
    return LayerWindows(p.axis, axes)


register_windows("Deconvolution")(_convolution)


@register_windows("Pooling")
def _pooling(layer: Any) -> LayerWindows:
    p = layer.pooling_param
    if p.global_pooling:
        raise UndefinedMap(f"layer '{layer.name}' (Pooling) is global: it has no coordinates left")
    kernel = (p.kernel_h, p.kernel_w) if p.HasField("kernel_h") else (p.kernel_size,)
    stride = (p.stride_h, p.stride_w) if p.HasField("stride_h") else (p.stride,)
    pad = (p.pad_h, p.pad_w) if p.HasField("pad_h") else (p.pad,)
    count = max(len(kernel), len(stride), len(pad))
    axes = tuple(Window(*values) for values in zip(
        *(v if len(v) == count else v * count for v in (kernel, stride, pad)), strict=True))
    return LayerWindows(1, axes)


@register_windows("Crop")
def _crop(layer: Any) -> LayerWindows:
    p = layer.crop_param
    offsets: Sequence[int] = list(p.offset) or [0]
    return LayerWindows(p.axis - 1, tuple(Window(pad=-offset) for offset in offsets))


def _sizes(param: Any, field: str, stem: str) -> tuple[int, ...]:
    """A geometry field of ConvolutionParameter: the repeated one, or the pair ending in _h and _w."""
    if param.HasField(f"{stem}_h") or param.HasField(f"{stem}_w"):
        return getattr(param, f"{stem}_h"), getattr(param, f"{stem}_w")
    return tuple(getattr(param, field))
