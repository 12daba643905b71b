"""Axpy: a scaled blob plus another."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...errors import ShapeError
from ..base import Blobs, Layer
from ..registry import register


@register("Axpy")
class Axpy(Layer):
    """top = a x + y, with one a for each channel of each item; Hu et al., "Squeeze-and-excitation networks", 2017.

    bottom[0]  a  (N, C), further axes have size 1
    bottom[1]  x  (N, C, H, W)
    bottom[2]  y  (N, C, H, W)
    """

    bottoms, tops = 3, 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the shapes."""
        a, x, y = (blob.shape for blob in bottom)
        if len(x) < 2 or x != y or a[:2] != x[:2] or bottom[0].count != x[0] * x[1]:
            raise ShapeError(f"needs a (N, C), x (N, C, ...) and y of x's shape, got {a}, {x} and {y}")
        self._view = x[0], x[1], math.prod(x[2:])
        top[0].reshape(*x)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        out = top[0].array.reshape(self._view)
        a, x, y = (blob.array.reshape(*self._view[:2], size)
                   for blob, size in zip(bottom, (1, self._view[2], self._view[2]), strict=True))
        self.ops.xp.multiply(a, x, out=out)
        out += y

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Sum over the positions for a, scale for x, pass on for y."""
        grad = top[0].grad.reshape(self._view)
        if propagate_down[0]:
            x = bottom[1].array.reshape(self._view)
            bottom[0].grad.reshape(self._view[:2])[...] = (grad * x).sum(axis=2)
        if propagate_down[1]:
            a = bottom[0].array.reshape(*self._view[:2], 1)
            self.ops.xp.multiply(grad, a, out=bottom[1].grad.reshape(self._view))
        if propagate_down[2]:
            bottom[2].grad.reshape(self._view)[...] = grad
