"""Pooling: maximum, average or a random draw of windows over two spatial axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import LayerError, ShapeError
from ..ops.reference.pooling import Window
from ..proto import caffe_pb2
from .base import Blobs, Layer
from .registry import register

Method = caffe_pb2.PoolingParameter


@register("Pooling")
class Pooling(Layer):
    """The maximum (MAX), mean (AVE) or a value drawn in proportion to its size (STOCHASTIC) of each window.

    bottom[0]  (N, C, H, W)
    top[0]     (N, C, h, w)  h = ceil((H + 2 pad - kernel) / stride) + 1, or floor with round_mode: FLOOR;
                             with padding, a window that would start beyond H + pad is left out
    top[1]     (N, C, h, w)  MAX only: where each maximum is, as flat index in its H x W plane, or -1

    Without padding a last window may lie wholly outside: MAX gives -FLT_MAX there, AVE 0 or NaN; gradients of
    such windows vanish. AVE divides by the part of the window within the padded input. Of equal values the first
    is the maximum; NaN never is. STOCHASTIC gives sum(x^2) / sum(x) in the TEST phase; Caffe has it on GPUs only.
    """

    bottoms = 1
    refuses_in_place = True

    def __init__(self, param: Any) -> None:
        super().__init__(param)
        self.method = param.pooling_param.pool
        self.tops = (1, 2) if self.method == Method.MAX else 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read the window."""
        whole = self.param.pooling_param.global_pooling
        kernel, stride, pad = self.given = Window(
            (0, 0) if whole else self.pair("kernel_size", "kernel"), self.pair("stride"), self.pair("pad"))
        self.check(min(stride) >= 1, f"'stride' must be at least 1, got {min(stride)}")
        if whole:
            given = [field for field in ("kernel_size", "kernel_h", "kernel_w")
                     if self.param.pooling_param.HasField(field)]
            self.check(not given, f"'global_pooling' takes the whole plane: leave out {given}")
            self.check(stride == (1, 1) and pad == (0, 0), "'global_pooling' goes with stride 1 and pad 0 only, got "
                       f"stride {stride} and pad {pad}")
            return
        self.check(min(kernel) >= 1, f"'kernel_size' must be at least 1, got {min(kernel)}")
        self.check(pad == (0, 0) or (pad[0] < kernel[0] and pad[1] < kernel[1]),
                   f"'pad' must be smaller than the kernel, got pad {pad} and kernel {kernel}")
        self.check(pad == (0, 0) or self.method != Method.STOCHASTIC, "STOCHASTIC pooling takes no 'pad'")

    def pair(self, name: str, stem: str | None = None) -> tuple[int, int]:
        """(height, width) from a field with one value for both, or from the two with _h and _w."""
        param = self.param.pooling_param
        names = name, f"{stem or name}_h", f"{stem or name}_w"
        given = [field for field in names if param.HasField(field)]
        optional = name != "kernel_size"  # it has no default
        self.check(given in ([name], [*names[1:]]) or (optional and not given),
                   f"needs either '{name}' or both '{names[1]}' and '{names[2]}', got {given or 'none of them'}")
        height, width = names[1:] if len(given) == 2 else (name, name)
        return getattr(param, height), getattr(param, width)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Size the tops."""
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"needs a bottom of 4 axes (N, C, H, W), got {shape}")
        self.window = self.given
        if self.param.pooling_param.global_pooling:
            self.window = Window((shape[2], shape[3]), (1, 1), (0, 0))
        sizes = [self.pooled(size, *numbers) for size, *numbers in zip(shape[2:], *self.window, strict=True)]
        if min(sizes) < 0:
            raise ShapeError(f"the kernel {self.window.kernel} is too large for the input {shape} with pad "
                             f"{self.window.pad}")
        for blob in top:
            blob.reshape(*shape[:2], *sizes)

    def pooled(self, size: int, kernel: int, stride: int, pad: int) -> int:
        """The number of windows along one axis."""
        room = size + 2 * pad - kernel
        if self.param.pooling_param.round_mode == Method.FLOOR:
            count = room // stride + 1
        else:
            count = -(-room // stride) + 1
        if any(self.window.pad) and (count - 1) * stride >= size + pad:
            count -= 1
        return count

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Compute the tops."""
        x, out = bottom[0].array, top[0].array
        if self.method == Method.AVE:
            self.ops.ave_pool(x, out, self.window)
        elif self.method == Method.STOCHASTIC:
            self.draw(x, out)
        else:
            self.ops.max_pool(x, out, self.window)
            for mask in top[1:]:
                self.ops.max_pool_mask(x, mask.array, self.window)

    def draw(self, x: Any, out: Any) -> None:
        """STOCHASTIC pooling: draw in the TRAIN phase, take the mean in the TEST phase."""
        if self.test:
            self.ops.stochastic_pool_mean(x, out, self.window)
            return
        self.drawn = self.ops.xp.empty(out.shape, np.int32)
        self.ops.stochastic_pool(x, self.ops.uniform(out.shape), out, self.drawn, self.window)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Give each gradient to its maximum, to its whole window (AVE) or to the value drawn."""
        if not propagate_down[0]:
            return
        grad_out, grad_x = top[0].grad, bottom[0].grad
        if self.method == Method.AVE:
            self.ops.ave_pool_backward(grad_out, grad_x, self.window)
            return
        mask = top[1].array if len(top) > 1 else None
        if self.method == Method.STOCHASTIC:
            if self.test:
                raise LayerError("STOCHASTIC pooling has a backward pass in the TRAIN phase only")
            self.check(hasattr(self, "drawn"), "has drawn nothing yet: run forward before backward")
            mask = self.drawn
        self.ops.max_pool_backward(bottom[0].array, mask, grad_out, grad_x, self.window)
