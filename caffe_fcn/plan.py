"""What a forward pass does in one step instead of two: a convolution, and the ReLU in place that follows it.

Nobody can tell: both steps compute the same bits, and the values between them exist only for those who look between
the layers, with a pass that ends there or with a callback. Then, and with CAFFE_FCN_PLAN=0 in the environment when the
net is built, each layer runs alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .layers.convolution import Convolution
from .layers.relu import ReLU

if TYPE_CHECKING:
    from .net_build import Wiring


class Plan:
    """Runs the layers of a net in passes. `callbacks` are those of the net, by moment.

    `joined` holds the indices of the convolutions that can be joined with the next layer.
    """

    def __init__(self, wiring: Wiring, callbacks: Mapping[str, Sequence[Callable[[int], Any]]]) -> None:
        self._wiring, self._callbacks = wiring, callbacks
        wanted = os.environ.get("CAFFE_FCN_PLAN", "") != "0"
        self.joined = frozenset(i for i in range(len(wiring.layers) - 1) if wanted and _joins(wiring, i))
        self._end = self._done = -1

    def begin(self, end: int) -> None:
        """A pass begins that ends with layer `end`."""
        watched = any(self._callbacks.get(moment) for moment in ("before_forward", "after_forward"))
        self._end, self._done = -1 if watched else end, -1

    def forward(self, i: int) -> None:
        """Run layer `i` of the pass, together with the next one or not at all if the last one did that."""
        layer, bottom, top = self._wiring.layers[i], self._wiring.bottoms[i], self._wiring.tops[i]
        if i in self.joined and i < self._end and isinstance(layer, Convolution):
            layer.forward_with_relu(bottom, top)
            self._done = i + 1
        elif i != self._done:
            layer.forward(bottom, top)


def _joins(wiring: Wiring, i: int) -> bool:
    """Is layer `i` a convolution, and the next one a ReLU in place on its top? (A top that is a loss is split.)"""
    layer, after, tops = wiring.layers[i], wiring.layers[i + 1], wiring.top_ids[i]
    if type(layer) is not Convolution or type(after) is not ReLU or after.param.relu_param.negative_slope != 0:
        return False
    return len(tops) == 1 and wiring.bottom_ids[i + 1] == wiring.top_ids[i + 1] == tops
