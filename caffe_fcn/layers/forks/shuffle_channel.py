"""ShuffleChannel: mix the channels of groups."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...errors import ShapeError
from ...proto.forks import extended
from ..base import Blobs, Layer
from ..registry import register


@register("ShuffleChannel")
class ShuffleChannel(Layer):
    """Channel i of group g of `group` groups goes to place i * group + g; Zhang et al., "ShuffleNet", 2017."""

    bottoms = tops = 1
    refuses_in_place = True

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Give the top the bottom's shape."""
        shape, group = bottom[0].shape, extended(self.param).shuffle_channel_param.group
        if len(shape) < 2 or group < 1 or shape[1] % group:
            raise ShapeError(f"the channels of the bottom {shape} must be a multiple of 'group' ({group})")
        self._groups = shape[0], group, shape[1] // group, math.prod(shape[2:])
        self._mixed = shape[0], shape[1] // group, group, math.prod(shape[2:])
        top[0].reshape_like(bottom[0])

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Mix."""
        top[0].array.reshape(self._mixed)[...] = bottom[0].array.reshape(self._groups).swapaxes(1, 2)

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Unmix."""
        if propagate_down[0]:
            bottom[0].grad.reshape(self._groups)[...] = top[0].grad.reshape(self._mixed).swapaxes(1, 2)
