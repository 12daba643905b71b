"""Silence: take blobs that nobody else wants."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs, Layer
from .registry import register


@register("Silence")
class Silence(Layer):
    """No tops. Keeps its bottoms from being outputs of the net; their diffs are 0."""

    bottoms, tops = (1, None), 0

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """There is nothing to compute."""

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Set the bottoms' diffs to 0."""
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.grad[...] = 0
