"""What cuDNN is asked to compute: everything that decides which plans there are."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...reference.convolution import Geometry

FORWARD, DATA, WEIGHT = "forward", "data", "weight"  # the passes; each writes one of three arrays
MOST_AXES = 3


class Request(NamedTuple):
    """A pass of a convolution with two or three spatial axes. Shapes are those of ConvolutionOps.

    after      what happens to the output of a forward pass: "", "bias" or "bias, relu"
    precision  one of precision.NAMES
    plain      no algorithm that adds differently than the definition
    """

    wanted: str
    x: tuple[int, ...]
    weight: tuple[int, ...]
    out: tuple[int, ...]
    stride: tuple[int, ...]
    pad: tuple[int, ...]
    dilation: tuple[int, ...]
    precision: str = "float32"
    after: str = ""
    plain: bool = False

    @property
    def family(self) -> tuple[Any, ...]:
        """What stays the same if only the images change in number or size."""
        return self._replace(x=self.x[1:2], out=())


@functools.lru_cache(maxsize=4096)  # as often as layers run
def describe(wanted: str, x: tuple[int, ...], weight: tuple[int, ...], out: tuple[int, ...], geometry: Geometry,
             precision: str, after: str = "") -> Request | None:
    """The request for a pass, given the shapes; None if cuDNN has no words for it.

    That is: no or more than three axes, nothing to compute, a dilation of 0, and outputs that only Caffe's rounding
    gives to a kernel larger than its input.
    """
    axes = len(geometry.kernel)
    if not 0 < axes <= MOST_AXES or 0 in (*x, *weight, *out) or min(geometry.dilation) < 1:
        return None
    rooms = [n + 2 * p - e for n, p, e in zip(x[2:], geometry.pad, geometry.extent, strict=True)]
    if min(rooms) < 0 or geometry.out_sizes(x[2:]) != out[2:]:
        return None
    one = (1,) if axes == 1 else ()  # cuDNN has two spatial axes at least
    still = (0,) if axes == 1 else ()

    def shape(sizes: Sequence[int]) -> tuple[int, ...]:
        return (*map(int, sizes[:2]), *one, *map(int, sizes[2:]))

    return Request(wanted, shape(x), shape(weight), shape(out), one + geometry.stride, still + geometry.pad,
                   one + geometry.dilation, precision, after, geometry.plain)
