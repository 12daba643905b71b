"""Im2col: kernel windows as columns."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Blobs, Layer
from .registry import register
from .window import batched, check_sizes, geometry


@register("Im2col")
class Im2col(Layer):
    """Write the kernel window of every output pixel along the channel axis.

    bottom[0]  (N, C, *in)
    top[0]     (N, C * taps, *out)  taps: values in a kernel window, row-major; out as in Convolution

    Raises LayerError for impossible parameters, ShapeError when the kernel does not fit in the bottom.
    """

    bottoms = tops = 1
    refuses_in_place = True  # the original computes garbage then

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the parameters."""
        param = self.param.convolution_param
        self.axis = bottom[0].axis(param.axis)
        self.geometry = geometry(param, bottom[0].ndim - self.axis - 1)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top its shape."""
        shape, axis = bottom[0].shape, self.axis
        sizes = self.geometry.out_sizes(shape[axis + 1:])
        check_sizes(sizes, shape, self.geometry)
        top[0].reshape(*shape[:axis], shape[axis] * self.geometry.taps, *sizes)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Copy the windows."""
        self.ops.im2col(batched(bottom[0].array, self.axis), batched(top[0].array, self.axis), self.geometry)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Add up what was copied from the same place."""
        if propagate_down[0]:
            self.ops.col2im(batched(top[0].grad, self.axis), batched(bottom[0].grad, self.axis), self.geometry)
