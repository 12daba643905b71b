"""Tile: repeat a blob along an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .base import Blobs, Layer
from .registry import register


@register("Tile")
class Tile(Layer):
    """`tiles` copies of the bottom, one after the other along `axis` (1 by default)."""

    bottoms = tops = 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Multiply the size of the axis."""
        p, shape = self.param.tile_param, bottom[0].shape
        self.check(p.tiles > 0, f"'tiles' must be at least 1, got {p.tiles}")
        axis = bottom[0].axis(p.axis)
        self._view = math.prod(shape[:axis]), math.prod(shape[axis:])  # (outer, inner)
        top[0].reshape(*shape[:axis], shape[axis] * p.tiles, *shape[axis + 1:])

    def _tiles(self, array: Any) -> Any:
        outer, inner = self._view
        return array.reshape(outer, self.param.tile_param.tiles, inner)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Copy the bottom to each tile."""
        self._tiles(top[0].array)[...] = bottom[0].array.reshape(self._view)[:, None]

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Add up the diffs of the tiles."""
        if propagate_down[0]:
            bottom[0].grad.reshape(self._view)[...] = self._tiles(top[0].grad).sum(axis=1)
