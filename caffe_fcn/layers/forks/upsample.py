"""Upsample: SegNet's unpooling, or repeated values, by the number of bottoms."""

from __future__ import annotations

from typing import Any

from ..base import Layer, LayerContext
from ..registry import register


@register("Upsample")
class Upsample(Layer):
    """With two bottoms SegNet's `Unpool`, with one the `Repeat` of Darknet converters. See there."""

    bottoms, tops = (1, 2), 1

    @classmethod
    def create(cls, param: Any, context: LayerContext) -> Layer:
        """Choose by the number of bottoms."""
        from .repeat import Repeat
        from .unpool import Unpool

        return {1: Repeat, 2: Unpool}.get(len(param.bottom), cls)(param)
