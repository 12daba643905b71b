"""Deconvolution: the transpose of a convolution."""

from __future__ import annotations

from typing import Any

from .base import Blobs
from .convolution_base import ConvolutionBase
from .registry import register


@register("Deconvolution")
class Deconvolution(ConvolutionBase):
    """Add the weight, times each value of the bottom, to the top: what a convolution's backward pass does.

    bottom[i]  (N, C, *in)
    top[i]     (N, num_output, *out), out = stride (in - 1) + dilation (kernel - 1) + 1 - 2 pad
    blobs      weight (C, num_output / group, *kernel), bias (num_output)

    Pixels of the top that no kernel reaches hold the bias.
    Raises LayerError for impossible parameters, ShapeError when pad leaves nothing of a top.
    """

    def weight_shape(self) -> tuple[int, ...]:
        """(C, num_output / group, *kernel)."""
        return self.channels, self.num_output // self.geometry.group, *self.geometry.kernel

    def out_sizes(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Spatial sizes of a top."""
        return self.geometry.in_sizes(sizes)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the tops."""
        for source, result in zip(bottom, top, strict=True):
            self.ops.deconvolution(self.batch(source.array), self.blobs[0].array, self.bias,
                                   self.batch(result.array), self.geometry)

    def weight_gradient(self, x: Any, grad_out: Any, grad_weight: Any) -> None:
        """Add the gradient of the weight."""
        self.ops.convolution_backward_weight(grad_out, x, grad_weight, self.geometry)

    def bottom_gradient(self, grad_out: Any, weight: Any, grad_x: Any) -> None:
        """Write the gradient of a bottom."""
        self.ops.convolution(grad_out, weight, None, grad_x, self.geometry)
