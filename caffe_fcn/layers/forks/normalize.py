"""Normalize: divide by the Euclidean length, then scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...errors import ShapeError
from ...proto import caffe_pb2
from ...proto.forks import extended
from ..base import Blobs, Layer
from ..registry import register


@register("Normalize")
class Normalize(Layer):
    """y = scale x / sqrt(sum of x^2 + eps), SSD's; Liu et al., "ParseNet", 2015.

    bottom[0], top[0]  (N, C, ...)  the sum is over each item, or with across_spatial: false over the channels at
                                    each position
    blobs              scale () or, with channel_shared: false, (C); 1 unless there is a filler

    LayerError without norm_param: layers called Normalize in other forks have no scale.
    """

    bottoms = tops = 1
    refuses_in_place = True

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make the scale."""
        given = extended(self.param)
        self.check(given.HasField("norm_param"), "means different things in different forks: give norm_param { } (may "
                                                 "be empty), or build the net with dialect='ssd', for that of SSD")
        param = self.given = given.norm_param
        if bottom[0].ndim < 2:
            raise ShapeError(f"needs a bottom (N, C, ...), got {bottom[0].shape}")
        filler = param.scale_filler if param.HasField("scale_filler") else caffe_pb2.FillerParameter(value=1)
        self.add_param(() if param.channel_shared else (bottom[0].shape[1],), filler, bottom[0].dtype)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top the bottom's shape."""
        shape, scale = bottom[0].shape, self.blobs[0]
        if len(shape) < 2 or (scale.ndim and scale.count != shape[1]):
            raise ShapeError(f"the scale has {scale.count} channels, the bottom is {shape}")
        self._view = shape[0], shape[1], math.prod(shape[2:])
        self._summed = (1, 2) if self.given.across_spatial else (1,)
        top[0].reshape_like(bottom[0])

    def normal(self, bottom: Blobs) -> tuple[Any, Any]:
        """x divided by its length, and the length, as (N, C, S) and what broadcasts to it."""
        x = bottom[0].array.reshape(self._view)
        length = self.ops.xp.sqrt((x * x).sum(axis=self._summed, keepdims=True) + x.dtype.type(self.given.eps))
        return x / length, length

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        self.ops.xp.multiply(self.normal(bottom)[0], self.blobs[0].array.reshape(-1, 1),
                             out=top[0].array.reshape(self._view))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Gradients of scale and bottom."""
        normal, length = self.normal(bottom)
        grad_y, scale = top[0].grad.reshape(self._view), self.blobs[0]
        if self.param_propagate_down[0]:
            total = scale.grad
            total += (grad_y * normal).sum(axis=(0, 2) if scale.ndim else None)
        if propagate_down[0]:
            grad = grad_y * scale.array.reshape(-1, 1)
            along = (grad * normal).sum(axis=self._summed, keepdims=True)
            bottom[0].grad.reshape(self._view)[...] = (grad - normal * along) / length
