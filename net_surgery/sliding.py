"""A fully convolutional net on a larger input: its windows, and what they must give."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from caffe_fcn.errors import NetError
from caffe_fcn.net import Net

from .checks import SPREAD, Equal, Named, output_names
from .links import Links
from .model import Model, as_model
from .sources import is_source

POINTWISE = ("AbsVal", "BNLL", "BatchNorm", "Bias", "Dropout", "ELU", "LRN", "PReLU", "Power", "ReLU", "Scale",
             "Sigmoid", "Softmax", "TanH")
MOVING = {"Convolution": "convolution_param", "Pooling": "pooling_param"}


def window_stride(subject: Model | Net, layer: str) -> tuple[int, int]:
    """By how many pixels of the input (down, across) the window of a layer moves from one value to the next.

    Raises NetError for an unknown layer, and where a Deconvolution is on the way to it.
    """
    model = as_model(subject)
    model.layer(layer)
    down = across = 1
    for part in _path(Links(model.net), layer):
        if part.type == "Deconvolution":
            raise NetError(f"layer '{part.name}' on the way to '{layer}' enlarges its input")
        if part.type in MOVING:
            y, x = _pair(getattr(part, MOVING[part.type]), "stride", 1)
            down, across = down * y, across * x
    return down, across


def larger_input(
    before: Model, after: Model, converted: Collection[str], shapes: Mapping[str, tuple[int, ...]]
) -> list[Equal]:
    """What must hold for an input that is one window larger: its second window gives what the net gave for that crop.

    converted  the layers that became convolutions; `shapes` are those of all blobs before
    Nothing where this is not exact: with padding, or pooling windows that the border cuts; or with several inputs.
    """
    links = Links(after.net)
    first = next(layer.name for layer in links.layers if layer.name in converted)  # its kernel is the map
    reached = {links.index(name) for name in converted}
    names = [name for name in output_names(after) if name in shapes and reached & links.needed([name])]
    inputs = [top for layer in links.layers if is_source(layer) for top in layer.top if top in shapes]
    if not names or len(inputs) != 1 or any(_inexact(links.layers[i], shapes) for i in links.needed(names)):
        return []
    (down, across), blob = window_stride(after, first), inputs[0]
    height, width = shapes[blob][2:]

    def feed(given: Named) -> Named:
        size = (*given[blob].shape[:2], height + down, width + across)
        large = np.random.default_rng(1).standard_normal(size, np.float32) * np.float32(SPREAD)
        large[:, :, down:, across:] = given[blob]
        return {blob: large}

    return [Equal("fully_convolutional, a window of a larger input", {name: name for name in names}, feed,
                  (np.ravel, lambda values: np.ravel(values[:, :, 1, 1])))]


def _path(links: Links, layer: str) -> Iterator[Any]:
    """A layer and what makes its first bottom, up to the input."""
    index: int | None = links.index(layer)
    while index is not None:
        yield links.layers[index]
        source = links.sources[index][0] if links.sources[index] else None
        index = None if source is None else source[0]


def _inexact(layer: Any, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a layer treats the border of a crop in another way than the middle of an image."""
    if is_source(layer):
        return False
    if layer.type not in MOVING:
        within = layer.lrn_param.norm_region == layer.lrn_param.WITHIN_CHANNEL
        return layer.type not in POINTWISE or len(layer.bottom) > 1 or within or layer.softmax_param.axis != 1
    p = getattr(layer, MOVING[layer.type])
    if any(_pair(p, "pad", 0)):
        return True
    if layer.type == "Convolution":
        return False
    size, kernel, stride = shapes[layer.bottom[0]][2:], _pair(p, "kernel", 0), _pair(p, "stride", 1)
    cut = any((whole - window) % step for whole, window, step in zip(size, kernel, stride, strict=True))
    return p.global_pooling or (cut and p.round_mode == p.CEIL)


def _pair(param: Any, name: str, default: int) -> tuple[int, int]:
    """(down, across) of a kernel, stride or pad, however it is written."""
    down, across = getattr(param, f"{name}_h"), getattr(param, f"{name}_w")
    if down or across:
        return down, across
    given = getattr(param, "kernel_size" if name == "kernel" else name)
    sizes = list(given or [default]) if not isinstance(given, int) else [given]
    return sizes[0], sizes[-1]
