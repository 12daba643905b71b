"""Crop: cut a blob to the size of another."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ShapeError
from .base import Blobs, Layer
from .registry import register


@register("Crop")
class Crop(Layer):
    """Cut bottom[0] to the size of bottom[1], from `axis` (2 by default) on.

    bottom[0]  (N, C, H, W)  values
    bottom[1]  (M, D, h, w)  only its shape is read; it gets no diff
    top[0]     (N, C, h, w)

    `offset` is given once, once for each axis from `axis` on, or not at all (0).
    """

    bottoms, tops = 2, 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Work out the window. ShapeError if it leaves bottom[0]."""
        shape, reference, offsets = bottom[0].shape, bottom[1].shape, list(self.param.crop_param.offset)
        start = bottom[0].axis(self.param.crop_param.axis)
        cut = len(shape) - start
        self.check(len(offsets) in (0, 1, cut),
                   f"'offset' must be given once, once per cut axis ({cut}) or not at all, got {len(offsets)}")
        if len(reference) < len(shape):
            raise ShapeError(f"the reference {reference} must have at least as many axes as the bottom {shape}")
        window = [slice(0, size) for size in shape[:start]]
        for i, offset in enumerate(offsets if len(offsets) == cut else (offsets or [0]) * cut, start):
            if offset + reference[i] > shape[i]:
                raise ShapeError(f"cannot cut {reference[i]} from offset {offset} out of axis {i} of size {shape[i]}: "
                                 f"the bottom is {shape}, the reference {reference}")
            window.append(slice(offset, offset + reference[i]))
        self._window = tuple(window)
        top[0].reshape(*(part.stop - part.start for part in window))

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Copy the window."""
        top[0].array[...] = bottom[0].array[self._window]

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Copy the diff into the window, 0 around it."""
        if propagate_down[0]:
            grad_x = bottom[0].grad
            grad_x[...] = 0
            grad_x[self._window] = top[0].grad
