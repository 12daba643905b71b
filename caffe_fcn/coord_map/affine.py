"""Affine maps of coordinates, one per spatial axis, in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from .rules import AxisMismatch, LayerWindows


class AxisMap(NamedTuple):
    """x -> scale * x + shift along one axis; coordinates count pixels from the centre of the first."""

    scale: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def apply(self, x: Fraction | int) -> Fraction:
        """Where the coordinate x goes."""
        return self.scale * x + self.shift

    def after(self, first: AxisMap) -> AxisMap:
        """The map that applies `first`, then this one."""
        return AxisMap(self.scale * first.scale, self.apply(first.shift))

    def inverse(self) -> AxisMap:
        """The map back."""
        return AxisMap(1 / self.scale, -self.shift / self.scale)


class CoordMap(NamedTuple):
    """The coordinates of one blob in another.

    axis  first axis that is not mapped (the channels, usually 1), None if no layer on the way says so
    axes  one AxisMap for each axis behind it, or a single one for all
    """

    axis: int | None = None
    axes: tuple[AxisMap, ...] = (AxisMap(),)

    @property
    def scale(self) -> tuple[Fraction, ...]:
        """Factor of each axis."""
        return tuple(m.scale for m in self.axes)

    @property
    def shift(self) -> tuple[Fraction, ...]:
        """Shift of each axis."""
        return tuple(m.shift for m in self.axes)

    def after(self, first: CoordMap) -> CoordMap:
        """The map that applies `first`, then this one. AxisMismatch if they speak of different axes."""
        if self.axis is not None and first.axis is not None and self.axis != first.axis:
            raise AxisMismatch(f"layers on the way work on the axes behind {first.axis} and behind {self.axis}")
        mine, theirs = _alike(self.axes, first.axes)
        axes = tuple(m.after(f) for m, f in zip(mine, theirs, strict=True))
        return CoordMap(first.axis if self.axis is None else self.axis, axes)

    def inverse(self) -> CoordMap:
        """The map back."""
        return CoordMap(self.axis, tuple(m.inverse() for m in self.axes))

    @classmethod
    def of_layer(cls, windows: LayerWindows) -> CoordMap:
        """From the coordinates of a layer's bottom to those of its top."""
        axes = []
        for w in windows.axes:
            down = AxisMap(Fraction(1, w.stride), (w.pad - Fraction(w.size - 1, 2)) / w.stride)
            up = AxisMap(Fraction(w.stride), Fraction(w.size - 1, 2) - w.pad)
            axes.append(up if w.transposed else down)
        return cls(windows.axis, tuple(axes))


def _alike(
    a: tuple[AxisMap, ...], b: tuple[AxisMap, ...]
) -> tuple[tuple[AxisMap, ...], tuple[AxisMap, ...]]:
    """Both with the same number of axes: a single map stands for all axes."""
    n = max(len(a), len(b))
    if len(a) not in (1, n) or len(b) not in (1, n):
        raise AxisMismatch(f"layers on the way have {len(b)} and {len(a)} spatial axes")
    return (a if len(a) == n else a * n), (b if len(b) == n else b * n)
