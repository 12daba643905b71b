"""What layers share that compute each value of top[0] from the same value of bottom[0]."""

from __future__ import annotations

from typing import Any

from .base import Blobs, Layer


class NeuronLayer(Layer):
    """bottom[0] and top[0] have the same shape. May run in place; then the input is lost, unless kept."""

    bottoms: Any = 1
    tops: Any = 1
    _kept: Any = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top the bottom's shape."""
        top[0].reshape_like(bottom[0])

    def keep_input(self, bottom: Blobs, top: Blobs) -> None:
        """Copy the input before a forward in place, for a gradient that the output does not give."""
        self._kept = bottom[0].array.copy() if top[0] is bottom[0] and self.needs_backward else None

    def input(self, bottom: Blobs) -> Any:
        """The input, also after a forward in place that called `keep_input`."""
        return bottom[0].array if self._kept is None else self._kept
