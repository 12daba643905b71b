"""What Scale and Bias share: an operand that is repeated over the leading and trailing axes of the bottom."""

from __future__ import annotations

import math
from typing import Any

from ..blob import Blob
from ..errors import ShapeError
from .base import Blobs, Layer


class BroadcastLayer(Layer):
    """top[0] = bottom[0] combined with an operand whose axes are those of bottom[0] from `axis` on.

    bottom[0]  (outer ..., operand's shape, inner ...)
    bottom[1]  the operand, or absent: then it is blobs[0], of `num_axes` axes (1 by default, -1: all, 0: one number)
    """

    bottoms: Any = (1, 2)
    tops: Any = 1

    def _place_operand(self, p: Any, bottom: Blobs, filler: Any) -> None:
        """Make the learned operand, if there is no bottom for it."""
        self._operand_param = p
        if len(bottom) == 2:
            return
        self.check(p.num_axes >= -1, f"'num_axes' must be at least -1, got {p.num_axes}")
        shape, axis = bottom[0].shape, bottom[0].axis(p.axis) if p.num_axes else 0
        stop = len(shape) if p.num_axes == -1 else axis + p.num_axes
        if stop > len(shape):
            raise ShapeError(f"{p.num_axes} axes from axis {axis} on are more than the bottom {shape} has")
        self.add_param(shape[axis:stop], filler, bottom[0].dtype)

    def _operand(self, bottom: Blobs) -> Blob:
        return bottom[1] if len(bottom) == 2 else self.blobs[0]

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top the bottom's shape. ShapeError if the operand's axes are not found in it."""
        shape, part = bottom[0].shape, self._operand(bottom).shape
        axis = bottom[0].axis(self._operand_param.axis) if part else 0
        if shape[axis:axis + len(part)] != part:
            raise ShapeError(f"the shape {part} of the operand is not that of the bottom {shape} from axis {axis} on")
        self._view = math.prod(shape[:axis]), math.prod(part), math.prod(shape[axis + len(part):])
        top[0].reshape_like(bottom[0])

    def _spread(self, blob: Blob) -> Any:
        """The operand's values as (operand, 1): broadcast over `_split`."""
        return blob.array.reshape(-1, 1)

    def _split(self, array: Any) -> Any:
        """An array of the bottom's shape as (outer, operand, inner)."""
        return array.reshape(self._view)

    def _collect(self, array: Any, shape: tuple[int, ...]) -> Any:
        """Sum an array of the bottom's shape to the operand's shape."""
        return self._split(array).sum(axis=2).sum(axis=0).reshape(shape)
