"""Who makes a blob and who reads it; taking a layer out of its chain."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from caffe_fcn.errors import NetError

from .model import Model

Top = tuple[int, int]  # index of a layer, index of one of its tops
Use = tuple[int, int]  # index of a layer, index of one of its bottoms


class Links:
    """Connections of a net as it is now. An in-place layer makes a new version of its blob.

    layers   the layers, in order
    sources  for each layer the version that each of its bottoms reads; None where no earlier layer makes it
    uses     for each version the bottoms that read it
    last     the last version of each blob
    """

    def __init__(self, net: Any) -> None:
        self.layers = list(net.layer)
        self.sources: list[list[Top | None]] = []
        self.uses: dict[Top, list[Use]] = {}
        self.last: dict[str, Top] = {}
        for i, layer in enumerate(self.layers):
            found = [self.last.get(name) for name in layer.bottom]
            for j, source in enumerate(found):
                if source is not None:
                    self.uses[source].append((i, j))
            self.sources.append(found)
            for j, name in enumerate(layer.top):
                self.last[name] = (i, j)
                self.uses[i, j] = []

    def version(self, blob: str) -> Top:
        """The last version of a blob. NetError, with close matches, if there is no such blob."""
        if blob not in self.last:
            close = difflib.get_close_matches(blob, self.last, 3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise NetError(f"the net has no blob '{blob}'{hint}")
        return self.last[blob]

    def blob(self, top: Top) -> str:
        """Name of a version's blob."""
        return self.layers[top[0]].top[top[1]]

    def readers(self, top: Top) -> list[Any]:
        """Layers that read a version."""
        return [self.layers[i] for i, _ in self.uses[top]]

    def maker(self, layer_index: int, bottom: int = 0) -> Any | None:
        """The layer that makes a layer's bottom."""
        sources = self.sources[layer_index]
        source = sources[bottom] if bottom < len(sources) else None
        return None if source is None else self.layers[source[0]]

    def index(self, name: str) -> int:
        """Index of the layer of this name (which exists)."""
        return next(i for i, layer in enumerate(self.layers) if layer.name == name)

    def needed(self, blobs: Iterable[str]) -> set[int]:
        """Indices of the layers without which the last versions of these blobs cannot be computed."""
        wanted = [self.version(blob)[0] for blob in blobs]
        found: set[int] = set()
        while wanted:
            i = wanted.pop()
            if i not in found:
                found.add(i)
                wanted += [source[0] for source in self.sources[i] if source is not None]
        return found


def bypass(model: Model, name: str) -> None:
    """Take a layer with one bottom and one top out of the net; who read its top now reads its bottom.

    The top's name stays if nobody else reads the bottom, else the bottom's. Raises NetError where neither works, or
    where include and exclude rules make the layer part of some phases only.
    """
    links = Links(model.net)
    i = links.index(name)
    layer = links.layers[i]
    if layer.include or layer.exclude:
        raise NetError(f"layer '{name}' has include or exclude rules: take the net of one phase first (deploy)")
    bottom, top = layer.bottom[0], layer.top[0]
    source = links.sources[i][0]
    rest = [other for other in links.layers if other is not layer]
    if bottom != top:
        if source is not None and len(links.uses[source]) == 1 and links.layers[source[0]].type != "Input":
            rename_blob(links.layers[:i], bottom, top)
        elif any(top in other.top for other in rest):
            raise NetError(f"layer '{name}' cannot be taken out: '{top}' is changed in place later, and '{bottom}' is "
                           "read by other layers too")
        else:
            rename_blob(links.layers[i:], top, bottom)
    model.set_layers(rest)


def rename_blob(layers: Iterable[Any], old: str, new: str) -> None:
    """Rename a blob wherever these layers read or make it."""
    for layer in layers:
        for names in (layer.bottom, layer.top):
            names[:] = [new if name == old else name for name in names]


def unused_tops(links: Links) -> list[Top]:
    """Versions that no layer reads, in order: the net's outputs."""
    return [top for top, uses in links.uses.items() if not uses]
