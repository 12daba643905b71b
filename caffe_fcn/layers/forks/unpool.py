"""Upsample of SegNet: undo a max pooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...blob import Blob
from ...errors import ShapeError
from ...proto.forks import extended
from ..base import Blobs, Layer
from ..labels import indices


class Unpool(Layer):
    """Put each value where a max pooling took it from; all else is 0. Of values for one place the last stays.

    bottom[0]  (N, C, h, w)
    bottom[1]  (N, C, h, w)  mask: the pooling's second top; it gets no diff
    top[0]     (N, C, H, W)  upsample_h and upsample_w, or scale (2) times the bottom, less 1 with pad_out_h, pad_out_w

    Badrinarayanan et al., "SegNet", 2015. Raises LayerError, ShapeError, LabelError for a mask beyond the top.
    """

    bottoms, tops = 2, 1
    refuses_in_place = True

    def allow_force_backward(self, bottom_index: int) -> bool:
        """The mask has no gradient."""
        return bottom_index == 0

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check that the size is given in one way."""
        param = self.given = extended(self.param).upsample_param
        pairs = [[name for name in names if param.HasField(name)]
                 for names in (("upsample_h", "upsample_w"), ("scale_h", "scale_w"))]
        self.check(all(len(pair) != 1 for pair in pairs) and not (param.HasField("scale") and pairs[1]),
                   "needs 'upsample_h' and 'upsample_w', or 'scale', or 'scale_h' and 'scale_w'")
        scale = param.scale if param.HasField("scale") else 2
        self.scale = (param.scale_h, param.scale_w) if pairs[1] else (scale, scale)
        self.less = (int(param.pad_out_h), int(param.pad_out_w))
        if not pairs[0]:
            self.check(min(self.scale) > 1, f"the scale must be above 1, got {self.scale}")
            self.check(all(scale == 2 or not less for scale, less in zip(self.scale, self.less, strict=True)),
                       f"'pad_out_h' and 'pad_out_w' need a scale of 2, got {self.scale}")

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Size the top."""
        shape, param = bottom[0].shape, self.given
        if len(shape) != 4 or bottom[1].shape != shape:
            raise ShapeError(f"needs values and a mask of one shape (N, C, H, W), got {shape} and {bottom[1].shape}")
        sizes = [size * scale - less for size, scale, less in zip(shape[2:], self.scale, self.less, strict=True)]
        if param.HasField("upsample_h"):
            sizes = [param.upsample_h, param.upsample_w]
        top[0].reshape(*shape[:2], *sizes)
        self._size = sizes[0] * sizes[1]

    def refuse(self, mask: Blob) -> None:
        """Raise LabelError for the first index of the mask that is outside the plane."""
        indices(mask, self._size, self.ops.xp, "mask (flat index in a plane of the top)")

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Put the values in their places."""
        done = self.ops.unpool(bottom[0].array, bottom[1].array, top[0].array)
        self.ops.refuse(np.logical_not(done), lambda: self.refuse(bottom[1]))

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Take the gradients from there."""
        if propagate_down[0]:
            done = self.ops.unpool_backward(top[0].grad, bottom[1].array, bottom[0].grad)
            self.ops.refuse(np.logical_not(done), lambda: self.refuse(bottom[1]))
