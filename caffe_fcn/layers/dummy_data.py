"""DummyData: blobs filled by fillers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..fillers import fill
from ..proto import caffe_pb2
from .base import Blobs, Layer
from .registry import register


@register("DummyData")
class DummyData(Layer):
    """Tops of given shapes, filled when the net is built; random ones are filled again before each pass.

    `shape` (or the older num, channels, height and width) and data_filler are given once, or once per top;
    without a filler the values are 0.
    """

    bottoms, tops = 0, (1, None)

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Shape and fill the tops."""
        p = self.param.dummy_data_param
        self._fillers = self._each("data_filler", p.data_filler or [caffe_pb2.FillerParameter()], top)
        for blob, shape in zip(top, self._shapes(top), strict=True):
            blob.reshape(*shape)
        for blob, filler in zip(top, self._fillers, strict=True):
            fill(blob, filler)

    def _shapes(self, top: Blobs) -> list[Sequence[int]]:
        p = self.param.dummy_data_param
        old = [name for name in ("num", "channels", "height", "width") if getattr(p, name)]
        self.check(not (p.shape and old), f"give 'shape' or {old}, not both (the latter are old)")
        if p.shape:
            return [shape.dim for shape in self._each("shape", p.shape, top)]
        sizes = [self._each(name, getattr(p, name), top) for name in ("num", "channels", "height", "width")]
        return list(zip(*sizes, strict=True))

    def _each(self, field: str, values: Sequence[Any], top: Blobs) -> list[Any]:
        """One value per top."""
        self.check(len(values) in (1, len(top)),
                   f"'{field}' must be given once or once per top ({len(top)}), got {len(values)}")
        return list(values) if len(values) == len(top) else [values[0]] * len(top)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Draw the random values anew."""
        for blob, filler in zip(top, self._fillers, strict=True):
            if filler.type != "constant":
                fill(blob, filler)
