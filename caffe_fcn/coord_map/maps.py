"""CoordMaps: the blobs of a net with the layers between them, and the maps that follow."""

from __future__ import annotations

import difflib
import os
from typing import Any, NamedTuple

from ..graph import filter_net, with_state
from ..proto import caffe_pb2
from .affine import CoordMap
from .explain import Step, describe
from .field import ReceptiveField, field_of
from .rules import UndefinedMap, layer_windows

FIRST_ONLY = ("Crop", "Upsample")  # the second bottom is a size or a mask


class Made(NamedTuple):
    """A blob: which layer (index) makes it, from which blobs (indices); only those that give it its coordinates."""

    name: str
    layer: int
    sources: tuple[int, ...]


class CoordMaps:
    """The coordinate maps of a net.

    net    a Net, a NetParameter, a NetSpec, or the path of a prototxt
    phase  which layers belong to the net, where it says so by include and exclude rules

    A blob that layers change in place is meant as the last of them leaves it.
    """

    def __init__(self, net: Any, phase: int = 1) -> None:
        self.layers = list(_structure(net, phase).layer)
        self.blobs: list[Made] = []
        self._latest: dict[str, int] = {}
        for i, layer in enumerate(self.layers):
            kept = layer.bottom[:1] if layer.type in FIRST_ONLY else layer.bottom
            sources = tuple(self._latest[name] for name in kept if name in self._latest)
            self.blobs += [Made(name, i, sources) for name in layer.top]
            first = len(self.blobs) - len(layer.top)
            self._latest.update({name: first + k for k, name in enumerate(layer.top)})

    def between(self, source: str, target: str) -> CoordMap:
        """The map from coordinates of the blob `source` to coordinates of the blob `target`.

        Raises KeyError for an unknown blob, UndefinedMap if no layers that keep coordinates connect the two.
        """
        return self._connect(source, target)[0]

    def crop_offsets(self, source: str, reference: str) -> tuple[int, ...]:
        """Offsets for a Crop of `source` to `reference` that lays equal coordinates over each other.

        One per spatial axis, or a single one for all.
        Raises ValueError where the scales differ, or an offset is negative or no whole number; as `between` else.
        """
        found = self.between(source, reference)
        for scale, shift in found.axes:
            if scale != 1 or shift > 0 or shift.denominator != 1:
                reason = ("the scales differ" if scale != 1 else "the offset would be negative" if shift > 0
                          else "the offset would be no whole number")
                raise ValueError(f"cannot crop '{source}' to '{reference}': {reason} "
                                 f"(scale {', '.join(map(str, found.scale))}; "
                                 f"offset {', '.join(str(-s) for s in found.shift)})")
        return tuple(int(-shift) for shift in found.shift)

    def receptive_field(self, blob: str, of: str) -> ReceptiveField:
        """What one pixel of `blob` sees of the earlier blob `of`.

        Raises KeyError for an unknown blob, UndefinedMap if `blob` is not made from `of` by layers that keep
        coordinates.
        """
        start, end = self._index(blob), self._index(of)
        if end not in self._back(start):
            raise UndefinedMap(f"'{blob}' is not made from '{of}' by layers that keep coordinates")
        return field_of(self, start, end, self._back(start)[end][0].inverse())

    def explain(self, source: str, target: str) -> str:
        """How `between` comes about, a line for each layer."""
        found, back, forth = self._connect(source, target)
        return describe(source, target, found, back, forth)

    def _connect(self, source: str, target: str) -> tuple[CoordMap, list[Step], list[Step]]:
        from_source = self._back(self._index(source))
        from_target = self._back(self._index(target))
        common = [i for i in from_target if i in from_source]
        if not common:
            raise UndefinedMap(f"no layers that keep coordinates connect '{source}' and '{target}'")
        meet = max(common)  # the latest blob that both are made from
        (to_source, back), (to_target, forth) = from_source[meet], from_target[meet]
        return to_target.after(to_source.inverse()), back, forth

    def _index(self, name: str) -> int:
        if name not in self._latest:
            close = difflib.get_close_matches(name, self._latest, 3)
            hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
            raise KeyError(f"the net has no blob '{name}'{hint}")
        return self._latest[name]

    def _back(self, start: int) -> dict[int, tuple[CoordMap, list[Step]]]:
        """For each blob that `start` is made from: the map from it to `start`, and the layers on the way back."""
        found: dict[int, tuple[CoordMap, list[Step]]] = {start: (CoordMap(), [])}
        for i in range(start, -1, -1):
            made = self.blobs[i]
            if i not in found or not made.sources:
                continue
            try:
                windows = layer_windows(self.layers[made.layer])
            except UndefinedMap:
                continue
            behind, steps = found[i]
            for source in made.sources:
                if source not in found:
                    step = Step(self.blobs[source].name, self.layers[made.layer], made.name, windows)
                    found[source] = (behind.after(CoordMap.of_layer(windows)), [*steps, step])
        return found


def _structure(net: Any, phase: int) -> Any:
    """The NetParameter of what a user calls a net, with the layers of the phase only."""
    if isinstance(net, (str, os.PathLike)):
        from ..proto.upgrade import read_net

        net = read_net(os.fspath(net))
    if not isinstance(net, caffe_pb2.NetParameter):
        from ..net import Net

        if isinstance(net, Net):
            return net._structure()
        net = net.to_proto()
    return filter_net(with_state(net, phase))
