"""Copying weights between nets, in place: the functions of the FCN tutorial's `surgery.py`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from caffe_fcn.errors import NetError, WeightsError
from caffe_fcn.net import Net

from .model import Model, PathLike, load_weights

logger = logging.getLogger("caffe_fcn")


class Fate(NamedTuple):
    """What became of one blob: `what` is copied, coerced, dropped or unfilled."""

    what: str
    layer: str
    blob: int
    old: tuple[int, ...] | None  # shape in the source, if it is there
    new: tuple[int, ...] | None  # shape in the target

    def __str__(self) -> str:
        change = f"{self.old} to {self.new}" if self.what == "coerced" else str(self.new or self.old)
        return f"{self.what:<8}  {self.layer} {self.blob}  {change}"


class TransplantReport(NamedTuple):
    """The fates of all blobs, source order first, then what nothing filled; ``str()`` is a table."""

    fates: list[Fate]

    def __str__(self) -> str:
        return "\n".join(map(str, self.fates))

    def of(self, what: str) -> list[tuple[str, int]]:
        """Layer and index of the blobs that were 'copied', 'coerced', 'dropped' or are 'unfilled'."""
        return [(fate.layer, fate.blob) for fate in self.fates if fate.what == what]


def transplant(
    new_net: Net, net: Net | Model | PathLike, suffix: str = "", force: bool = False
) -> TransplantReport:
    """Copy parameters by layer name from a net (or a Model, or a weight file) into `new_net`.

    copied    equal shapes
    coerced   equal counts: the values keep their order in memory, as from an inner product to a convolution
    dropped   `new_net` has no such layer or blob
    unfilled  blobs of `new_net` that got nothing; they keep their values

    suffix    a layer `name` of the source goes to the layer `name + suffix`
    force     where counts differ, fill as the tutorial's script did: repeat or cut off the values

    Raises WeightsError where counts differ, before anything is copied.
    """
    fates: list[Fate] = []
    copies, filled = [], set()
    for name, arrays in _arrays(net, {layer: new_net.layer_dict[layer].type for layer in new_net.params}).items():
        blobs = new_net.params.get(name + suffix, ())
        for i, array in enumerate(arrays):
            if i >= len(blobs):
                fates.append(Fate("dropped", name, i, array.shape, None))
                continue
            target = blobs[i]
            if target.count != array.size and not force:
                raise WeightsError(f"layer '{name + suffix}', blob {i}: {array.size} values of shape {array.shape} do "
                                   f"not fit the shape {target.shape}; rename the layer in the new net to leave it out")
            what = "copied" if target.shape == array.shape else "coerced"
            fates.append(Fate(what, name + suffix, i, array.shape, target.shape))
            copies.append((target, array))
            filled.add((name + suffix, i))
    for target, array in copies:
        target.data.flat = array
    fates += [Fate("unfilled", name, i, None, blob.shape) for name, blobs in new_net.params.items()
               for i, blob in enumerate(blobs) if (name, i) not in filled]
    report = TransplantReport(fates)
    logger.info("transplant:\n%s", report)
    return report


def upsample_filt(size: int) -> np.ndarray:
    """A 2-D bilinear kernel (size, size), float64: what enlarges by ceil(size / 2).

    >>> upsample_filt(4)[1].tolist()
    [0.1875, 0.5625, 0.5625, 0.1875]
    """
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    line = 1 - np.abs(np.arange(size) - centre) / factor
    return np.outer(line, line)


def interp(net: Net, layers: Iterable[str]) -> None:
    """Give Deconvolution layers the weights of bilinear interpolation, in place.

    A grouped layer (one filter per channel) gets the filter everywhere; a dense one on its diagonal, and the rest stays
    as it is: zero, unless a filler or a file says otherwise, of which a warning tells.

    Raises NetError for unknown layers, for kernels that are not square, and for layers with neither as many outputs
    as inputs nor one output per group; then no layer was changed.
    """
    edits = []
    for name in layers:
        if name not in net.params:
            raise NetError(f"there is no layer '{name}' with parameters")
        weight = net.params[name][0].data
        if weight.ndim != 4 or weight.shape[2] != weight.shape[3]:
            raise NetError(f"layer '{name}': bilinear filters are square, got the shape {weight.shape}")
        if weight.shape[1] not in (1, weight.shape[0]):
            raise NetError(f"layer '{name}': needs as many outputs as inputs, or one output per group; got the shape "
                           f"{weight.shape}")
        edits.append((name, weight))
    for name, weight in edits:
        inputs, outputs = weight.shape[:2]
        weight[range(inputs), range(outputs) if outputs > 1 else 0] = upsample_filt(weight.shape[2])
        if outputs > 1 and np.any(weight[~np.eye(inputs, dtype=bool)]):
            logger.warning("layer '%s': weights between different channels are not zero, so this is more than an "
                           "interpolation", name)


def expand_score(new_net: Net, new_layer: str, net: Net | Model | PathLike, layer: str) -> None:
    """Copy a score layer into one with more classes, in place: the first classes are the old ones.

    Raises NetError for unknown layers, WeightsError where the new layer has fewer classes or other inputs.
    """
    arrays = _arrays(net, {layer: net.layer_dict[layer].type} if isinstance(net, Net) and layer in net.params else {})
    for name, known in ((layer, arrays), (new_layer, new_net.params)):
        if name not in known:
            raise NetError(f"there is no layer '{name}' with parameters")
    weight, *bias = arrays[layer]
    target, *new_bias = (blob.data for blob in new_net.params[new_layer])
    classes = len(weight)
    if classes > len(target) or weight.shape[1:] != target.shape[1:] or len(bias) > len(new_bias):
        raise WeightsError(f"layer '{layer}' with the weight {weight.shape} does not fit into '{new_layer}' with "
                           f"{target.shape}: only the number of classes may grow")
    target[:classes] = weight
    for values, new in zip(bias, new_bias, strict=False):
        new[..., :classes] = values


def _arrays(source: Net | Model | PathLike, types: Mapping[str, str]) -> Mapping[str, Sequence[np.ndarray]]:
    if isinstance(source, Net):
        return {name: [blob.data for blob in blobs] for name, blobs in source.params.items()}
    if isinstance(source, Model):
        return source.weights
    return load_weights(source, types)
