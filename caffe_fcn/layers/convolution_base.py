"""What Convolution and Deconvolution share: parameters, shapes, gradients of the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from .base import Blobs, Layer
from .window import batched, check_sizes, geometry


class ConvolutionBase(Layer):
    """A kernel that moves over the axes behind the channel axis; every bottom has its top, all share the weight.

    blobs[0]  weight, blobs[1]  bias (num_output), unless `bias_term: false`. `engine: CAFFE`
    sums products as the original does, other engines take the fastest way, which differs in the last digits.
    `force_nd_im2col` is accepted and changes nothing.
    Running in place is refused: the original computes wrong gradients (and for 1x1 kernels wrong values) then.
    """

    bottoms = tops = (1, None)
    tops_equal_bottoms = True
    refuses_in_place = True

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the parameters, make and fill weight and bias."""
        param = self.param.convolution_param
        self.axis = bottom[0].axis(param.axis)
        self.spatial = bottom[0].ndim - self.axis - 1
        self.channels, self.num_output = bottom[0].shape[self.axis], param.num_output
        self.check(param.num_output >= 1, f"'num_output' must be at least 1, got {param.num_output}")
        self.check(param.group >= 1, f"'group' must be at least 1, got {param.group}")
        for name, count in (("channels of the bottom", self.channels), ("num_output", self.num_output)):
            self.check(count % param.group == 0, f"{name} ({count}) must be a multiple of group ({param.group})")
        self.check(self.channels >= 1, f"the bottom of shape {bottom[0].shape} has no channels")
        self.geometry = geometry(param, self.spatial, param.group)
        self.add_param(self.weight_shape(), param.weight_filler, bottom[0].dtype)
        if param.bias_term:
            self.add_param((param.num_output,), param.bias_filler, bottom[0].dtype)

    def weight_shape(self) -> tuple[int, ...]:
        """Shape of the weight."""
        raise NotImplementedError

    def out_sizes(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Spatial sizes of a top for those of its bottom."""
        raise NotImplementedError

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the tops their shapes."""
        shape = bottom[0].shape
        if any(blob.shape != shape for blob in bottom):
            raise ShapeError(f"all bottoms must have the same shape, got {[blob.shape for blob in bottom]}")
        if len(shape) != self.axis + 1 + self.spatial:
            raise ShapeError(f"the bottom now has {len(shape)} axes ({shape}), the layer was set up for "
                             f"{self.axis + 1 + self.spatial}")
        if shape[self.axis] != self.channels:
            raise ShapeError(f"the bottom of shape {shape} has {shape[self.axis]} channels, the weight "
                             f"{self.blobs[0].shape} is for {self.channels}")
        sizes = self.out_sizes(shape[self.axis + 1:])
        check_sizes(sizes, shape, self.geometry)
        for blob in top:
            blob.reshape(*shape[:self.axis], self.num_output, *sizes)

    def batch(self, array: Any) -> Any:
        """View an array as (N, C, *sizes)."""
        return batched(array, self.axis)

    @property
    def bias(self) -> Any | None:
        """The bias, if there is one."""
        return self.blobs[1].array if len(self.blobs) > 1 else None

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Gradients of weight, bias and bottoms."""
        weight_wanted, bias_wanted = (*self.param_propagate_down, False)[:2]
        for source, result, wanted in zip(bottom, top, propagate_down, strict=True):
            grad = self.batch(result.grad)
            if bias_wanted:
                self.ops.bias_gradient(grad, self.blobs[1].grad)
            if weight_wanted:
                self.weight_gradient(self.batch(source.array), grad, self.blobs[0].grad)
            if wanted:
                self.bottom_gradient(grad, self.blobs[0].array, self.batch(source.grad))

    def weight_gradient(self, x: Any, grad_out: Any, grad_weight: Any) -> None:
        """Add the gradient of the weight."""
        raise NotImplementedError

    def bottom_gradient(self, grad_out: Any, weight: Any, grad_x: Any) -> None:
        """Write the gradient of a bottom."""
        raise NotImplementedError
