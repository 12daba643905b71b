"""Input: blobs that the user fills."""

from __future__ import annotations

from .base import Blobs, Layer
from .registry import register


@register("Input")
class Input(Layer):
    """Tops of given shapes: one `shape` for all, one for each, or none (a single value, to be reshaped)."""

    bottoms, tops = 0, (1, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Shape the tops, once: later the user may reshape them."""
        shapes = [tuple(shape.dim) for shape in self.param.input_param.shape]
        self.check(len(shapes) in (0, 1, len(top)),
                   f"'shape' must be given once, once per top ({len(top)}) or not at all, got {len(shapes)}")
        if shapes:
            for blob, shape in zip(top, shapes * (len(top) // len(shapes)), strict=True):
                blob.reshape(*shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """The user has filled the tops."""
