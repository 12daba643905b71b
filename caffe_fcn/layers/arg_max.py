"""ArgMax: which classes have the largest scores."""

from __future__ import annotations

import math
from typing import Any

from ..errors import LayerError
from .base import Blobs, Layer
from .registry import register


@register("ArgMax")
class ArgMax(Layer):
    """Indices of the top_k largest values, largest first; of equal values the larger index first.

    bottom[0]  (N, C, H, W)
    top[0]     with `axis`: the same shape with top_k on that axis: the indices, or with out_max_val: the values;
               without: (N, 1, top_k) over all other axes (ones are appended up to the bottom's axes), with
               out_max_val (N, 2, top_k): the indices, then the values
    """

    bottoms = tops = 1

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Check top_k, shape the top."""
        param, shape = self.param.argmax_param, bottom[0].shape
        if not shape:
            raise LayerError("needs a bottom with at least one axis")
        axis = bottom[0].axis(param.axis) if param.HasField("axis") else None
        size = math.prod(shape[1:]) if axis is None else shape[axis]
        self.check(1 <= param.top_k <= size, f"'top_k' must be at least 1 and at most {size}, got {param.top_k}")
        if axis is None:
            self.view = shape[0], size, 1
            ones = (1,) * (len(shape) - 3)
            top[0].reshape(shape[0], 2 if param.out_max_val else 1, param.top_k, *ones)
        else:
            self.view = math.prod(shape[:axis]), size, math.prod(shape[axis + 1:])
            top[0].reshape(*shape[:axis], param.top_k, *shape[axis + 1:])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Find the indices."""
        param, xp = self.param.argmax_param, self.ops.xp
        values = bottom[0].array.reshape(self.view)
        best = self.largest(values, param.top_k)
        if not param.out_max_val:
            found = [best]
        elif param.HasField("axis"):
            found = [xp.take_along_axis(values, best, 1)]
        else:
            found = [best, xp.take_along_axis(values, best, 1)]
        top[0].array[...] = xp.concatenate(found, axis=1).reshape(top[0].shape)

    def largest(self, values: Any, count: int) -> Any:
        """Indices of the largest along axis 1 of (outer, size, inner); searched backwards, so that the last wins."""
        backwards = values[:, ::-1]
        if count == 1:
            best = backwards.argmax(axis=1)[:, None]
        else:
            best = self.ops.xp.argsort(-backwards, axis=1, kind="stable")[:, :count]
        return values.shape[1] - 1 - best
