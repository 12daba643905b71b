"""Receptive fields and coordinates of all blobs in one walk through the layers.

The maps of `caffe_fcn.coord_map` start anew from each blob; here a layer is looked at once, as long as fields are alike
everywhere. Behind upsampling layers they are not, and the exact search takes over.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from ..coord_map import CoordMap, CoordMaps, Window, layer_windows


class Place(NamedTuple):
    """A blob in the input: `there` maps coordinates of the input to its own.

    `size` is the receptive field along each axis, or None where it is not the same for all pixels (`exact` finds the
    largest then).
    """

    there: CoordMap
    size: tuple[Fraction, ...] | None

    @property
    def scale(self) -> tuple[Fraction, ...]:
        """Pixels of the input between two of the blob."""
        return self.there.inverse().scale

    @property
    def shift(self) -> tuple[Fraction, ...]:
        """Where the blob's first pixel lies in the input."""
        return self.there.inverse().shift


def places(layers: Sequence[Any], source: str) -> list[Place | None]:
    """For each layer, the place of its first top in the blob `source` as it leaves it, if any."""
    known: dict[str, Place] = {}
    found: list[Place | None] = []
    for layer in layers:
        bottoms = layer.bottom[:1] if layer.type == "Crop" else layer.bottom
        sources = [known[name] for name in bottoms if name in known]
        place = _behind(layer, sources) if sources else None
        if source in layer.top and not layer.bottom:
            known = {source: Place(CoordMap(), (Fraction(1),))}
        for name in layer.top:
            if layer.bottom:
                known.pop(name, None)
                known.update({name: place} if place else {})
        found.append(place)
    return found


def exact(maps: CoordMaps, place: Place, blob: str, source: str) -> tuple[int, ...] | None:
    """The receptive field of a blob with this place, None where it cannot be told."""
    if place.size is not None:
        return tuple(map(int, place.size))
    try:
        return maps.receptive_field(blob, source).size
    except (KeyError, ValueError):
        return None


def _behind(layer: Any, sources: Sequence[Place]) -> Place | None:
    """The place of the tops of a layer whose bottoms have these places."""
    try:
        windows = layer_windows(layer)
        there = CoordMap.of_layer(windows).after(sources[0].there)
    except ValueError:
        return None
    alike = all(place.there.axes == sources[0].there.axes for place in sources)
    sizes = [_grown(place, windows.axes) for place in sources]
    if not alike or None in sizes:
        return Place(there, None)
    return Place(there, max(size for size in sizes if size is not None))


def _grown(place: Place, windows: Sequence[Window]) -> tuple[Fraction, ...] | None:
    """The receptive field behind these windows."""
    if place.size is None or any(window.transposed for window in windows):
        return None
    count = max(len(place.size), len(windows), len(place.scale))
    sizes, scales = (values * count if len(values) == 1 else values for values in (place.size, place.scale))
    axes = list(windows) * count if len(windows) == 1 else windows
    return tuple(size + (window.size - 1) * scale for size, scale, window in zip(sizes, scales, axes, strict=True))
