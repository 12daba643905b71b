"""Why a layer pads more than it needs to keep the size of its input: which images the net would not run for without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ...coord_map import CoordMaps
from ...coord_map.rules import layer_windows
from ..shapes import LayerShapes, NetShapes, Sizes, net_shapes, without_rules

MOST = 4096  # pixels of the largest input to try
NEXT = (1, 2, 3, 5, 8, 13, 21)  # the sides behind the smallest that are tried, too
NEVER, SOME = f"does not run for inputs of {MOST}x{MOST} pixels", "runs for inputs of some sizes only"


class State(NamedTuple):
    """Which layers of a file are meant, and by whose Caffe."""

    phase: int = 1
    stages: tuple[str, ...] = ()
    dialect: str | None = None

    def shapes(self, net: Any, sizes: Sizes | None = None) -> NetShapes:
        """The shapes of a NetParameter (upgraded)."""
        return net_shapes(net, self.phase, sizes, stages=self.stages, dialect=self.dialect)

    def refused(self, net: Any, side: int) -> list[LayerShapes]:
        """The layers that do not run for a square input."""
        return self.shapes(net, Sizes((side, side))).errors


class Sides(NamedTuple):
    """The side of the smallest square input that a net runs for; None if that is not all, for the `reason`."""

    smallest: int | None
    reason: str = ""

    def __str__(self) -> str:
        return self.reason or f"runs for square inputs from {self.smallest}x{self.smallest} pixels on"


class Shrinking(NamedTuple):
    """A layer with less padding than its window takes: how many of its pixels are lost, and what each stands for."""

    layer: str
    lost: int
    scale: float


class Padding(NamedTuple):
    """A convolution that pads by more than half its window.

    pad, usual   what it has, and what would keep the size
    grows        pixels that its top is larger by than its bottom
    shrinking    the layers that take pixels away
    uncovered    with the usual pad: Crops by their name, and how many pixels at each side would have no score
    sides        what the net runs for
    bare_sides   the same with the usual pad and crop offsets derived anew; `refusing` says what a smaller input meets
    enough       the smallest pad with which the net runs for large inputs
    needed       the smallest pad with which it runs for inputs as small as it does now
    """

    layer: str
    window: int
    pad: int
    usual: int
    grows: int
    shrinking: tuple[Shrinking, ...]
    uncovered: tuple[tuple[str, float], ...]
    sides: Sides
    bare_sides: Sides
    refusing: str
    enough: int | None
    needed: int | None


def square_sides(net: Any, state: State) -> Sides:
    """What square inputs a NetParameter (upgraded) runs for."""
    smallest = _first(lambda side: not state.refused(net, side), MOST)
    if smallest is None:
        return Sides(None, NEVER)
    if any(state.refused(net, smallest + more) for more in NEXT):
        return Sides(None, SOME)
    return Sides(smallest)


def paddings(net: Any, shapes: NetShapes, state: State) -> list[Padding]:
    """The large paddings of a net (a NetParameter, upgraded) whose shapes in a phase are known."""
    return [_padding(net, shapes, row, state) for row in shapes.layers if _is_large(row)]


def _is_large(row: LayerShapes) -> bool:
    if row.param.type != "Convolution" or row.error:
        return False
    try:
        axes = layer_windows(row.param).axes
    except ValueError:
        return False
    return len(set(axes)) == 1 and axes[0].pad > axes[0].size // 2 and axes[0].stride == 1


def _padding(net: Any, shapes: NetShapes, row: LayerShapes, state: State) -> Padding:
    window = layer_windows(row.param).axes[0]
    usual, grows = window.size // 2, 2 * window.pad - window.size + 1
    bare = _with_pad(net, shapes, row.index, usual)
    sides, bare_sides = square_sides(net, state), square_sides(bare, state)
    refusing = ""
    if bare_sides.smallest and bare_sides.smallest > 1:
        first = state.refused(bare, bare_sides.smallest - 1)[0]
        refusing = f"{first.param.type} '{first.param.name}': {getattr(first.error, 'message', first.error)}"

    def runs(pad: int, side: int) -> bool:
        return not state.refused(_with_pad(net, shapes, row.index, pad), side)

    side = sides.smallest
    return Padding(
        row.param.name, window.size, window.pad, usual, grows, tuple(_shrinking(net, shapes, row)),
        tuple(_uncovered(bare, shapes)), sides, bare_sides, refusing,
        _first(lambda pad: runs(pad, MOST), window.pad) if side else None,
        _first(lambda pad: runs(pad, side), window.pad) if side else None)


def _shrinking(net: Any, shapes: NetShapes, padded: LayerShapes) -> list[Shrinking]:
    """The convolutions behind a padded one that take pixels away."""
    maps, found = _maps(net, shapes), []
    for row in shapes.layers[shapes.layers.index(padded) + 1 :]:
        try:
            window = layer_windows(row.param).axes[0]
            lost = window.size - 1 - 2 * window.pad
            if row.param.type == "Convolution" and lost > 0:
                scale = maps.between(row.param.bottom[0], padded.param.bottom[0]).scale[0]
                found.append(Shrinking(row.param.name, lost, float(scale)))
        except (KeyError, ValueError):
            continue
    return found


def _uncovered(net: Any, shapes: NetShapes) -> list[tuple[str, float]]:
    """Crops that would have to start before the first pixel of what they cut."""
    maps, found = _maps(net, shapes), []
    for param in _crops(row.param for row in shapes.layers):
        try:
            shift = max(maps.between(*param.bottom).shift)
        except (KeyError, ValueError):
            continue
        if shift > 0:
            found.append((param.name, float(shift)))
    return found


def _maps(net: Any, shapes: NetShapes) -> CoordMaps:
    """The coordinate maps of a net, of which the layers are meant that have shapes."""
    return CoordMaps(without_rules(net.layer[row.index] for row in shapes.layers), shapes.phase)


def _crops(layers: Any) -> list[Any]:
    return [layer for layer in layers
            if layer.type == "Crop" and len(layer.bottom) == 2 and layer.crop_param.axis == 2]


def _first(good: Callable[[int], bool], most: int) -> int | None:
    """The smallest number from 1 on that is good, if larger ones are good as well; None if `most` is not good."""
    if not good(most):
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if good(middle) else (middle, high)
    return high


def _with_pad(net: Any, shapes: NetShapes, index: int, pad: int) -> Any:
    """A copy of the net with another pad in one layer, and the crop offsets that follow."""
    copy: Any = type(net)()
    copy.CopyFrom(net)
    param = copy.layer[index].convolution_param
    for field in ("pad", "pad_h", "pad_w"):
        param.ClearField(field)
    param.pad.append(pad)
    maps = _maps(copy, shapes)
    for layer in _crops(copy.layer):
        try:
            offsets = maps.crop_offsets(*layer.bottom)
        except (KeyError, ValueError):
            continue  # as it is: if it is too large, the crop is refused
        layer.crop_param.ClearField("offset")
        layer.crop_param.offset.extend(offsets)
    return copy
