"""Layers that the wanted outputs do not need, taken away; and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from caffe_fcn.errors import NetError

from .checks import STRICT, Check, Equal, Named, Subject, output_names
from .links import Links, rename_blob
from .model import Model, as_model


def prune(subject: Subject, outputs: Sequence[str], *, check: Check = STRICT) -> Subject:
    """Keep only the layers, inputs and weights that these blobs are computed from.

    Raises NetError for a blob that the net does not have.
    """
    before = as_model(subject)
    after = before.copy()
    keep_only(after, outputs)

    def feed(given: Named) -> Named:
        left = {top for layer in after.net.layer for top in layer.top}
        return {name: values for name, values in given.items() if name in left}

    return check.conclude(subject, before, after, Equal("prune", {name: name for name in outputs}, feed))


def keep_only(model: Model, outputs: Sequence[str]) -> None:
    """Take away, in place, what these blobs do not need; an Input layer loses the tops that nobody reads."""
    if not outputs:
        raise NetError("name at least one output to keep")
    links = Links(model.net)
    needed = links.needed(outputs)
    read = {source for i in needed for source in links.sources[i]} | {links.version(name) for name in outputs}
    for i in needed:
        layer = links.layers[i]
        gone = [j for j in range(len(layer.top)) if (i, j) not in read] if layer.type == "Input" else []
        for j in reversed(gone):
            del layer.top[j]
            if len(layer.input_param.shape) > 1:
                del layer.input_param.shape[j]
    model.set_layers(layer for i, layer in enumerate(links.layers) if i in needed)
    left = {layer.name for layer in model.net.layer}
    model.weights = {name: arrays for name, arrays in model.weights.items() if name in left}


def rename(
    subject: Subject, layers: Mapping[str, str] | None = None, blobs: Mapping[str, str] | None = None, *,
    check: Check = STRICT,
) -> Subject:
    """Rename layers (with their weights) and blobs (wherever they are used): old name to new name.

    Raises NetError for names that are not there, and for new names that are taken.
    """
    before = as_model(subject)
    after = before.copy()
    for old, new in (layers or {}).items():
        layer = after.layer(old)
        if any(other.name == new for other in after.net.layer):
            raise NetError(f"layer '{old}' cannot be renamed: there is a layer '{new}' already")
        layer.name = new
        if old in after.weights:
            after.weights[new] = after.weights.pop(old)
    for old, new in (blobs or {}).items():
        last = Links(after.net)
        last.version(old)
        if new in last.last:
            raise NetError(f"blob '{old}' cannot be renamed: there is a blob '{new}' already")
        rename_blob(after.net.layer, old, new)
    return check.conclude(subject, before, after, _renamed(before, after, blobs or {}))


def _renamed(before: Model, after: Model, blobs: Mapping[str, str]) -> Equal:
    names = {name: name for name in output_names(before)}
    for old, new in blobs.items():
        names = {first: new if last == old else last for first, last in names.items()}

    def feed(given: Named) -> Named:
        result = dict(given)
        for old, new in blobs.items():
            result = {new if name == old else name: values for name, values in result.items()}
        return result

    return Equal("rename", names, feed)
