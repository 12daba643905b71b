"""Convolution."""

from __future__ import annotations

from typing import Any

from .base import Blobs
from .convolution_base import ConvolutionBase
from .registry import register


@register("Convolution")
class Convolution(ConvolutionBase):
    """Cross-correlate each bottom with the weight.

    bottom[i]  (N, C, *in)
    top[i]     (N, num_output, *out), out = (in + 2 pad - dilation (kernel - 1) - 1) / stride + 1, rounded toward 0
    blobs      weight (num_output, C / group, *kernel), bias (num_output)

    Raises LayerError for impossible parameters, ShapeError when the kernel does not fit in a bottom.
    """

    def weight_shape(self) -> tuple[int, ...]:
        """(num_output, C / group, *kernel)."""
        return self.num_output, self.channels // self.geometry.group, *self.geometry.kernel

    def out_sizes(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Spatial sizes of a top."""
        return self.geometry.out_sizes(sizes)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the tops."""
        for source, result in zip(bottom, top, strict=True):
            self.ops.convolution(self.batch(source.array), self.blobs[0].array, self.bias,
                                 self.batch(result.array), self.geometry)

    def forward_with_relu(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the tops, and what a ReLU layer makes of them."""
        for source, result in zip(bottom, top, strict=True):
            self.ops.convolution_relu(self.batch(source.array), self.blobs[0].array, self.bias,
                                      self.batch(result.array), self.geometry)

    def weight_gradient(self, x: Any, grad_out: Any, grad_weight: Any) -> None:
        """Add the gradient of the weight."""
        self.ops.convolution_backward_weight(x, grad_out, grad_weight, self.geometry)

    def bottom_gradient(self, grad_out: Any, weight: Any, grad_x: Any) -> None:
        """Write the gradient of a bottom."""
        self.ops.convolution_backward_data(grad_out, weight, grad_x, self.geometry)
