"""Another number of classes, from the score layers through the deconvolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import NetError
from caffe_fcn.memory import require_memory

from .checks import STRICT, Check, Equal, Subject
from .links import Links, unused_tops
from .model import Model, as_model
from .transplanting import upsample_filt

MOST = 1 << 20  # classes
HEADS = ("Convolution", "Deconvolution", "InnerProduct")
ENDS = ("Softmax", "ArgMax", "Accuracy", "Silence")  # and losses: they do not keep the classes' values
# Layers that act on each class alone, and how many of their bottoms hold classes.
KEEPING = {"Crop": 1, "Eltwise": None, "ReLU": 1, "Dropout": 1, "Sigmoid": 1, "Pooling": 1, "Power": 1, "Split": 1,
           "TanH": 1, "Flatten": 1}


def change_classes(
    subject: Subject, classes: int | None = None, keep: Sequence[int] | None = None, *, check: Check = STRICT
) -> Subject:
    """Give the layers that score classes, and the Deconvolutions that enlarge the scores, another number of classes.

    classes  how many; the first ones stay what they are, new ones come behind them
    keep     instead: for each new class the number of the old one that it was, or -1 for a new one
    New classes score zero at first (in Deconvolutions they are interpolated like the old ones would be at the start).

    Raises NetError if the classes cannot be followed from the outputs up to the layers that score them.
    """
    before = as_model(subject)
    after = before.copy()
    route = _route(after)
    old = _old_classes(after, route)
    if (classes is None) == (keep is None):
        raise NetError("say either how many classes there shall be, or which of the old ones to keep")
    if not 1 <= (len(keep) if keep is not None else classes or 0) <= MOST:
        raise NetError(f"the number of classes must be from 1 to {MOST}")
    keep = list(keep) if keep is not None else [i if i < old else -1 for i in range(classes or 0)]
    if any(not -1 <= i < old for i in keep):
        raise NetError(f"the net has the classes 0 to {old - 1}; each new class is one of them or -1, got {keep}")
    _check_memory(after, route, len(keep) / old)
    for name in route.heads:
        _change_head(after, after.layer(name), keep)
    for name in route.through:
        _change_deconvolution(after, after.layer(name), keep)
    here = [k for k, i in enumerate(keep) if i >= 0]
    there = [keep[k] for k in here]
    blobs = {blob: blob for name in (*route.heads, *route.through) for blob in after.layer(name).top}
    equal = Equal("change_classes", blobs, pick=(lambda a: a[:, there], lambda a: a[:, here]))
    return check.conclude(subject, before, after, *[equal] * bool(here))


def _check_memory(model: Model, route: _Route, growth: float) -> None:
    """Refuse weights that cannot fit: those of dense Deconvolutions grow with the square of the classes."""
    blobs = [array for name in (*route.heads, *route.through) for array in model.weights.get(name, ())]
    require_memory(sum(array.nbytes for array in blobs) * growth ** 2, "the weights for so many classes")


class _Route(NamedTuple):
    """Layers from the outputs up: those that score classes, Deconvolutions from classes to classes."""

    heads: list[str]
    through: list[str]


def _route(model: Model) -> _Route:
    links = Links(model.net)
    waiting = [i for i, _ in unused_tops(links)]
    waiting += [i for i, layer in enumerate(links.layers) if not layer.top]
    heads, through, seen = [], [], set()
    while waiting:
        i = waiting.pop()
        layer = links.layers[i]
        if i in seen or not layer.bottom:
            continue
        seen.add(i)
        if layer.type in HEADS:
            if layer.type == "Deconvolution" and _keeps_classes(model, layer):
                through.append(layer.name)
                bottoms: Any = 1
            else:
                heads.append(layer.name)
                continue
        elif layer.type in ENDS or layer.type.endswith("Loss"):
            bottoms = 1
        elif layer.type in KEEPING:
            bottoms = KEEPING[layer.type]
        else:
            raise NetError(f"cannot follow the classes from the outputs through layer '{layer.name}' ({layer.type})")
        waiting += [source[0] for source in links.sources[i][:bottoms] if source is not None]
    if not heads:
        raise NetError("no Convolution, Deconvolution or InnerProduct scores the outputs")
    return _Route(heads, through)


def _keeps_classes(model: Model, layer: Any) -> bool:
    """Whether a Deconvolution has as many inputs as outputs."""
    p = layer.convolution_param
    if layer.name in model.weights:
        return len(model.weights[layer.name][0]) == p.num_output
    return p.group == p.num_output or _is_interpolating(layer)


def _is_interpolating(layer: Any) -> bool:
    p = layer.convolution_param
    return not p.bias_term or p.weight_filler.type == "bilinear"


def _old_classes(model: Model, route: _Route) -> int:
    counts = {}
    for name in (*route.heads, *route.through):
        layer = model.layer(name)
        model.check_unshared(layer)
        param = layer.inner_product_param if layer.type == "InnerProduct" else layer.convolution_param
        counts[name] = param.num_output
    if len(set(counts.values())) != 1:
        raise NetError("the layers that score the outputs disagree about the number of classes: "
                       + ", ".join(f"'{name}' has {count}" for name, count in counts.items()))
    return next(iter(counts.values()))


def _pick(array: np.ndarray, keep: Sequence[int], axis: int = 0) -> np.ndarray:
    """The kept entries along an axis, zeros for new ones."""
    result = np.take(array, np.maximum(keep, 0), axis)
    np.moveaxis(result, axis, 0)[np.less(keep, 0)] = 0
    return result


def _change_head(model: Model, layer: Any, keep: Sequence[int]) -> None:
    is_full = layer.type == "InnerProduct"
    param = layer.inner_product_param if is_full else layer.convolution_param
    if not is_full and param.group != 1:
        raise NetError(f"layer '{layer.name}' scores classes in groups; split the groups first")
    param.num_output = len(keep)
    if layer.name in model.weights:
        weight, *bias = model.weights[layer.name]
        axis = 1 if layer.type == "Deconvolution" or (is_full and param.transpose) else 0
        model.weights[layer.name] = (_pick(weight, keep, axis), *(_pick(b, keep) for b in bias))


def _change_deconvolution(model: Model, layer: Any, keep: Sequence[int]) -> None:
    p = layer.convolution_param
    old, grouped = p.num_output, p.group > 1
    if p.group not in (1, old):
        raise NetError(f"layer '{layer.name}' has {p.group} groups for {old} classes; only 1 or all can change")
    p.num_output = len(keep)
    if grouped:
        p.group = len(keep)
    if layer.name not in model.weights:
        return
    weight, *bias = model.weights[layer.name]
    weight = _pick(weight, keep)
    diagonal = np.zeros(len(keep), int) if grouped else np.arange(len(keep))
    if not grouped:
        weight = _pick(weight, keep, 1)
    fresh = np.flatnonzero(np.less(keep, 0))
    if fresh.size and weight.shape[2] == weight.shape[3]:
        weight[fresh, diagonal[fresh]] = upsample_filt(weight.shape[2])
    model.weights[layer.name] = (weight, *(_pick(b, keep) for b in bias))
