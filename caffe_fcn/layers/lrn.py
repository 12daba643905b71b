"""LRN: local response normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError
from ..ops.reference.lrn import Response
from ..proto import caffe_pb2
from .base import Blobs, Layer
from .registry import register


@register("LRN")
class Lrn(Layer):
    """x * (k + alpha * mean(x^2)) ** -beta, the mean over local_size channels or a local_size square.

    bottom[0], top[0]  (N, C, H, W)

    Missing neighbours count as 0. WITHIN_CHANNEL ignores k (it is 1), as in Caffe. In place the forward pass is
    right (Caffe's is not across channels); the backward pass is refused, because it needs the values before.
    """

    bottoms = tops = 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the constants."""
        param = self.param.lrn_param
        self.check(param.local_size % 2, f"'local_size' must be odd, got {param.local_size}")
        self.response = Response(param.local_size, param.alpha, param.beta, param.k)
        self.across = param.norm_region == caffe_pb2.LRNParameter.ACROSS_CHANNELS

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """The top is shaped as the bottom."""
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"needs a bottom of 4 axes (N, C, H, W), got {shape}")
        top[0].reshape(*shape)
        self.view = (*shape[:2], shape[2] * shape[3]) if self.across else shape

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Normalise."""
        function = self.ops.lrn_across if self.across else self.ops.lrn_within
        function(bottom[0].array.reshape(self.view), top[0].array.reshape(self.view), self.response)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Differentiate at the bottom's values."""
        if not propagate_down[0]:
            return
        self.check(bottom[0] is not top[0], "has no backward pass in place: give its top another name")
        function = self.ops.lrn_across_backward if self.across else self.ops.lrn_within_backward
        x, grad_out, grad_x = bottom[0].array, top[0].grad, bottom[0].grad
        function(x.reshape(self.view), grad_out.reshape(self.view), grad_x.reshape(self.view), self.response)
