"""Permute: change the order of the axes."""

from __future__ import annotations

from collections.abc import Sequence

from ...proto.forks import extended
from ..base import Blobs, Layer
from ..registry import register


@register("Permute")
class Permute(Layer):
    """Axis i of the top is axis order[i] of the bottom; axes that `order` leaves out follow in theirs (SSD)."""

    bottoms = tops = 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Work out the order of all axes."""
        given, axes = list(extended(self.param).permute_param.order), bottom[0].ndim
        self.check(len(set(given)) == len(given) and all(axis < axes for axis in given),
                   f"'order' must be different axes from 0 to {axes - 1}, got {given}")
        self.order = (*given, *(axis for axis in range(axes) if axis not in given))
        top[0].reshape(*(bottom[0].shape[axis] for axis in self.order))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Transpose."""
        top[0].array[...] = bottom[0].array.transpose(self.order)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Transpose back."""
        if propagate_down[0]:
            bottom[0].grad.transpose(self.order)[...] = top[0].grad
