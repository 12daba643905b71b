"""Parameter: a learned blob as a top."""

from __future__ import annotations

from collections.abc import Sequence

from ..blob import Blob
from .base import Blobs, Layer
from .registry import register


@register("Parameter")
class Parameter(Layer):
    """top[0] shares data and diff with blobs[0], of the given shape and zero at first."""

    bottoms, tops = 0, 1

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Make the blob."""
        self.blobs.append(Blob(self.param.parameter_param.shape.dim, top[0].dtype))

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Share the memory anew: the net may have given the blob another one."""
        top[0].reshape_like(self.blobs[0])
        top[0].share_data(self.blobs[0])
        top[0].share_diff(self.blobs[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """The top has its data already."""

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """The blob has its diff already."""
