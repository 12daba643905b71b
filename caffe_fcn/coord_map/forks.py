"""What layer types of forks do to coordinates."""

from __future__ import annotations

from typing import Any

from ..proto.forks import extended
from .rules import LayerWindows, UndefinedMap, Window, register_windows


@register_windows("Upsample")
def _upsample(layer: Any) -> LayerWindows:
    """Each pixel becomes a square: repeated, or with the value at one place in it."""
    p = extended(layer).upsample_param
    scale = p.scale if p.HasField("scale") else 2
    scales = (p.scale_h, p.scale_w) if p.HasField("scale_h") else (scale,)
    return LayerWindows(1, tuple(Window(size=s, stride=s, transposed=True) for s in scales))


@register_windows("Interp")
def _interp(layer: Any) -> LayerWindows:
    """Corners stay on corners: pixel i of the top lies at i / zoom_factor, between two pixels of the bottom."""
    p = extended(layer).interp_param
    if p.shrink_factor > 1 and p.zoom_factor > 1:
        raise UndefinedMap(f"layer '{layer.name}' (Interp) shrinks and zooms: its scale changes with the input")
    if p.HasField("zoom_factor") and p.shrink_factor <= 1:
        zoom = p.zoom_factor
        return LayerWindows(1, (Window(2 * zoom - 1, zoom, zoom - 1 - zoom * p.pad_beg, transposed=True),))
    if p.HasField("shrink_factor"):
        return LayerWindows(1, (Window(stride=p.shrink_factor, pad=p.pad_beg),))
    raise UndefinedMap(f"layer '{layer.name}' (Interp) has a fixed size: its scale changes with the input")
