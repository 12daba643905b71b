"""ContrastiveLoss: pull similar pairs together, push the others apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ShapeError
from .base import Blobs
from .loss import LossLayer
from .registry import register


@register("ContrastiveLoss")
class ContrastiveLoss(LossLayer):
    """Hadsell et al., "Dimensionality reduction by learning an invariant mapping", 2006.

    Sum over the pairs of d^2 if they are similar, else max(0, margin - d)^2, divided by 2 N, where d is their
    distance. With `legacy_version` others give max(0, margin - d^2).

    bottom[0], bottom[1]  (N, C)  the two sides; further axes have size 1
    bottom[2]             (N)     not 0 (after cutting toward zero): similar
    top[0]                ()      the loss

    The gradient of a dissimilar pair divides by d + 1e-4, as in Caffe. Raises ShapeError.
    """

    bottoms = 3

    def allow_force_backward(self, bottom_index: int) -> bool:
        """Both sides may learn, the label may not."""
        return bottom_index != 2

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check that there are two vectors and one label for each pair."""
        super().reshape(bottom, top)
        shapes = [blob.shape for blob in bottom]
        batch = shapes[0][0] if shapes[0] else 0
        fits = (len(shapes[0]) > 0 and bottom[0].count == bottom[1].count and bottom[2].count == batch
                and all(size == 1 for shape in shapes[:2] for size in shape[2:]))
        if not fits:
            raise ShapeError(f"needs two bottoms (N, C) and N labels, got {shapes[0]}, {shapes[1]} and {shapes[2]}")
        self.batch = max(1, batch)

    def pairs(self, bottom: Blobs) -> tuple[Any, Any, Any]:
        """a - b (N, C), its squared length (N, 1) and which pairs are similar (N, 1)."""
        shape = (*bottom[0].shape, 1)[:2]
        difference = bottom[0].array.reshape(shape) - bottom[1].array.reshape(shape)
        similar = bottom[2].array.reshape(-1, 1).astype(np.int64) != 0
        return difference, (difference * difference).sum(axis=1, keepdims=True), similar

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the loss."""
        xp, param = self.ops.xp, self.param.contrastive_loss_param
        _, square, similar = self.pairs(bottom)
        apart = (xp.maximum(param.margin - square, 0) if param.legacy_version
                 else xp.maximum(param.margin - xp.sqrt(square), 0) ** 2)
        top[0].array[...] = xp.where(similar, square, apart).sum() / (2 * self.batch)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Along a - b for bottom 0, against it for bottom 1."""
        if not any(propagate_down[:2]):
            return
        xp, param = self.ops.xp, self.param.contrastive_loss_param
        difference, square, similar = self.pairs(bottom)
        distance = xp.sqrt(square)
        room = param.margin - (square if param.legacy_version else distance)
        push = 1 if param.legacy_version else room / (distance + 1e-4)
        pull = xp.where(similar, 1, xp.where(room > 0, -push, 0)) * (top[0].grad / self.batch)
        for i, sign in enumerate((1, -1)):
            if propagate_down[i]:
                bottom[i].grad.reshape(difference.shape)[...] = sign * pull * difference
