"""Interp: bilinear resizing whose corners stay corners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ShapeError
from ...proto.forks import extended
from ..base import Blobs, Layer
from ..registry import register


@register("Interp")
class Interp(Layer):
    """DeepLab's and PSPNet's bilinear resizing: the corner pixels of bottom and top lie on each other.

    bottom[0]  (N, C, H, W)  rows and columns that negative pad_beg and pad_end cut off are left out first
    top[0]     (N, C, h, w)  interp_param's height and width, or h = (H - 1) / shrink_factor (rounded down) *
                             zoom_factor + 1, where a factor that is not given is 1

    Raises LayerError, ShapeError.
    """

    bottoms = tops = 1
    refuses_in_place = True

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Check that the size is given in one way."""
        param = self.given = extended(self.param).interp_param
        found = [name for name in ("shrink_factor", "zoom_factor", "height", "width") if param.HasField(name)]
        self.check(found == ["height", "width"] or (found and not {"height", "width"} & {*found}),
                   "needs either 'shrink_factor', 'zoom_factor' or both, or 'height' and 'width', got "
                   f"{found or 'none of them'}")
        for name in found:
            self.check(getattr(param, name) >= 1, f"'{name}' must be at least 1, got {getattr(param, name)}")
        self.shrink, self.zoom = param.shrink_factor or 1, param.zoom_factor or 1
        for name in ("pad_beg", "pad_end"):
            self.check(getattr(param, name) <= 0, f"'{name}' must not be above 0, got {getattr(param, name)}")

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Size the top; find where its rows and columns lie."""
        shape, param = bottom[0].shape, self.given
        if len(shape) != 4:
            raise ShapeError(f"needs a bottom of 4 axes (N, C, H, W), got {shape}")
        sizes = [size + param.pad_beg + param.pad_end for size in shape[2:]]
        if min(sizes) < 1:
            raise ShapeError(f"pad_beg {param.pad_beg} and pad_end {param.pad_end} leave nothing of a bottom {shape}")
        wanted = [(size - 1) // self.shrink * self.zoom + 1 for size in sizes]
        if param.HasField("height"):
            wanted = [param.height, param.width]
        self.axes = list(zip(sizes, wanted, strict=True))
        start = -param.pad_beg
        self.window = (..., *(slice(start, start + size) for size in sizes))
        top[0].reshape(*shape[:2], *wanted)

    def places(self, axis: int, dtype: Any) -> tuple[Any, Any, Any]:
        """Along one axis, for each pixel of the top: the two pixels it lies between, and how far from the first."""
        xp, (size, wanted) = self.ops.xp, self.axes[axis]
        place = xp.arange(wanted) * ((size - 1) / (wanted - 1) if wanted > 1 else 0.0)
        first = xp.minimum(place.astype(int), size - 1)
        return first, xp.minimum(first + 1, size - 1), (place - first).astype(dtype)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Interpolate along the rows' axis, then along the columns'."""
        x = bottom[0].array[self.window]
        first, second, part = self.places(0, x.dtype)
        part = part[:, None]
        rows = x[:, :, first] * (1 - part) + x[:, :, second] * part
        first, second, part = self.places(1, x.dtype)
        top[0].array[...] = rows[..., first] * (1 - part) + rows[..., second] * part

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """The transposed interpolation, as two matrix products."""
        if propagate_down[0]:
            grad = bottom[0].grad
            grad[...] = 0
            xp = self.ops.xp
            grad[self.window] = xp.matmul(xp.matmul(self.matrix(0, grad.dtype).T, top[0].grad),
                                          self.matrix(1, grad.dtype))

    def matrix(self, axis: int, dtype: Any) -> Any:
        """The interpolation along one axis as a matrix (pixels of the top, pixels of the bottom)."""
        xp, (size, wanted) = self.ops.xp, self.axes[axis]
        first, second, part = self.places(axis, dtype)
        matrix, rows = xp.zeros((wanted, size), dtype), xp.arange(wanted)
        matrix[rows, first] = 1 - part
        matrix[rows, second] += part
        return matrix
