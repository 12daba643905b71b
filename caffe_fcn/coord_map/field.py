"""Receptive fields: which pixels of an earlier blob one pixel sees."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from .rules import UndefinedMap, Window, layer_windows

if TYPE_CHECKING:
    from .affine import CoordMap
    from .maps import CoordMaps

MOST_PHASES = 1 << 14  # positions to look at before an upsampling pattern repeats


class ReceptiveField(NamedTuple):
    """Along each axis (or for all axes alike): pixel i sees `size` pixels from about i * stride + offset on.

    Pixels outside of the blob count as well (they lie in the padding). Behind upsampling layers not all pixels see
    equally many: `size` is the largest number, and `offset` keeps its window around the centre.
    """

    size: tuple[int, ...]
    stride: tuple[Fraction, ...]
    offset: tuple[Fraction, ...]


def field_of(maps: CoordMaps, start: int, end: int, centre: CoordMap) -> ReceptiveField:
    """The receptive field of blob `start` in blob `end` (indices); `centre` maps coordinates from start to end."""
    count = max([len(centre.axes), *(len(layer_windows(maps.layers[maps.blobs[i].layer]).axes)
                                     for i in _on_the_way(maps, start, end) if i != end)])
    sizes, strides, offsets = [], [], []
    for axis in range(count):
        along = centre.axes[axis if len(centre.axes) > 1 else 0]
        size = _largest(maps, start, end, axis)
        sizes.append(size)
        strides.append(along.scale)
        offsets.append(along.shift - Fraction(size - 1, 2))
    return ReceptiveField(tuple(sizes), tuple(strides), tuple(offsets))


def _on_the_way(maps: CoordMaps, start: int, end: int) -> list[int]:
    """Blobs from `start` back to `end` on paths of layers that keep coordinates, latest first."""
    reached = {end}
    for i in range(end + 1, start + 1):
        sources = maps.blobs[i].sources
        if any(source in reached for source in sources) and _keeps(maps, i):
            reached.add(i)
    needed, order = {start}, []
    for i in range(start, end - 1, -1):
        if i in needed and i in reached:
            order.append(i)
            needed.update(maps.blobs[i].sources if i != end else ())
    return order


def _keeps(maps: CoordMaps, blob: int) -> bool:
    try:
        layer_windows(maps.layers[maps.blobs[blob].layer])
    except UndefinedMap:
        return False
    return True


def _largest(maps: CoordMaps, start: int, end: int, axis: int) -> int:
    """The largest number of pixels of `end` between the first and the last that a pixel of `start` sees."""
    way = _on_the_way(maps, start, end)
    windows: dict[int, Window] = {}
    for i in way:
        if i != end:
            axes = layer_windows(maps.layers[maps.blobs[i].layer]).axes
            windows[i] = axes[axis if len(axes) > 1 else 0]
    phases = math.prod(w.stride for w in windows.values() if w.transposed)
    if phases > MOST_PHASES:
        raise UndefinedMap(f"the receptive field repeats only after {phases} pixels: too many upsampling layers")
    largest = 0
    for position in range(phases):
        seen = {start: (position, position)}
        for i in way:
            if i == end or i not in seen:
                continue
            interval = _seen_through(windows[i], *seen[i])
            if interval[0] > interval[1]:
                continue  # a gap between the windows of a transposed layer
            for source in maps.blobs[i].sources:
                old = seen.get(source, interval)
                seen[source] = (min(old[0], interval[0]), max(old[1], interval[1]))
        if end in seen:
            largest = max(largest, seen[end][1] - seen[end][0] + 1)
    return largest


def _seen_through(w: Window, low: int, high: int) -> tuple[int, int]:
    """First and last pixel of a layer's bottom that its top pixels low..high see."""
    if w.transposed:
        return -((w.size - 1 - low - w.pad) // w.stride), (high + w.pad) // w.stride
    return low * w.stride - w.pad, high * w.stride - w.pad + w.size - 1
