"""InnerProduct: a full connection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..errors import ShapeError
from .base import Blobs, Layer
from .registry import register


@register("InnerProduct")
class InnerProduct(Layer):
    """Multiply the bottom, flattened from `axis` on, by the weight.

    bottom[0]  (*M, *K)             M: axes before `axis`, K: all values from `axis` on
    top[0]     (*M, num_output)
    blobs      weight (num_output, K) or, with `transpose`, (K, num_output); bias (num_output)

    Raises ShapeError when a later bottom has another number of values from `axis` on.
    """

    bottoms = tops = 1
    refuses_in_place = True  # the original computes garbage then

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the parameters, make and fill weight and bias."""
        param = self.param.inner_product_param
        self.check(param.num_output >= 1, f"'num_output' must be at least 1, got {param.num_output}")
        self.axis = bottom[0].axis(param.axis)
        self.inputs, self.outputs = math.prod(bottom[0].shape[self.axis:]), param.num_output
        self.check(self.inputs >= 1, f"the bottom of shape {bottom[0].shape} has no values from axis {self.axis} on")
        shape = (self.outputs, self.inputs)
        self.add_param(shape[::-1] if param.transpose else shape, param.weight_filler, bottom[0].dtype)
        if param.bias_term:
            self.add_param((self.outputs,), param.bias_filler, bottom[0].dtype)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top its shape."""
        shape = bottom[0].shape
        if math.prod(shape[self.axis:]) != self.inputs:
            raise ShapeError(f"the bottom of shape {shape} has {math.prod(shape[self.axis:])} values from axis "
                             f"{self.axis} on, the weight {self.blobs[0].shape} is for {self.inputs}")
        top[0].reshape(*shape[:self.axis], self.outputs)

    def _rows(self, array: Any, size: int) -> Any:
        """View an array as (M, size)."""
        return array.reshape(array.size // size, size)

    def _weight(self, array: Any) -> Any:
        """View the weight or its gradient as (K, num_output)."""
        return array if self.param.inner_product_param.transpose else array.T

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the top."""
        out = self._rows(top[0].array, self.outputs)
        self.ops.product(self._rows(bottom[0].array, self.inputs), self._weight(self.blobs[0].array), out)
        if len(self.blobs) > 1:
            out += self.blobs[1].array

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Gradients of weight, bias and bottom."""
        grad = self._rows(top[0].grad, self.outputs)
        if self.param_propagate_down[0]:
            x, total = self._rows(bottom[0].array, self.inputs), self.blobs[0].grad
            if self.param.inner_product_param.transpose:
                self.ops.add_product(x.T, grad, total)
            else:
                self.ops.add_product(grad.T, x, total)
        if len(self.blobs) > 1 and self.param_propagate_down[1]:
            self.ops.bias_gradient(grad, self.blobs[1].grad)
        if propagate_down[0]:
            self.ops.xp.matmul(grad, self._weight(self.blobs[0].array).T,
                               out=self._rows(bottom[0].grad, self.inputs))
