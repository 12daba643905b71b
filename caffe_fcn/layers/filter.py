"""Filter: keep the items of a batch that a selector marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from .base import Blobs, Layer
from .registry import register


@register("Filter")
class Filter(Layer):
    """The items for which the selector, the last bottom, is not 0; of each other bottom to one top.

    bottom[i]   (N, ...)
    bottom[-1]  (N)       selector; further axes have size 1; it has no gradient
    top[i]      (K, ...)  K items were selected; until the first forward, K = N

    Nothing selected gives tops of no items and gradients of 0. Raises ShapeError.
    """

    bottoms, tops = (2, None), (1, None)
    refuses_in_place = True
    _chosen: Any = None  # indices of the selected items, once known

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there is a top for each bottom but the selector."""
        self.check(len(top) == len(bottom) - 1, "needs a top for each bottom but the last (the selector), "
                                                f"{len(bottom)} bottoms and {len(top)} tops given")

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check the shapes; size the tops for the last selection, at first as if everything were selected."""
        *items, selector = bottom
        if not selector.ndim or selector.count != selector.shape[0]:
            raise ShapeError(f"the selector (the last bottom) needs the shape (N) or (N, 1, ...), got {selector.shape}")
        for i, blob in enumerate(items):
            if blob.shape[:1] != selector.shape[:1]:
                raise ShapeError(f"bottom {i} {blob.shape} and the selector {selector.shape} need the same first "
                                 "dimension")
        self._size_tops(items, top, selector.shape[0] if self._chosen is None else self._chosen.size)

    def _size_tops(self, items: Blobs, top: Blobs, count: int) -> None:
        for blob, out in zip(items, top, strict=True):
            out.reshape(count, *blob.shape[1:])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Size the tops for what is selected and copy it."""
        *items, selector = bottom
        self._chosen = self.ops.xp.flatnonzero(selector.array)
        self._size_tops(items, top, self._chosen.size)
        for blob, out in zip(items, top, strict=True):
            out.array[...] = blob.array[self._chosen]

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Gradients go back to the selected items, the others get 0."""
        self.check(not propagate_down[-1], "cannot compute a gradient of its selector: set propagate_down: false for "
                                           "the last bottom")
        for blob, out, wanted in zip(bottom, top, propagate_down, strict=False):
            if wanted:
                grad = blob.grad
                grad[...] = 0
                grad[self._chosen] = out.grad
