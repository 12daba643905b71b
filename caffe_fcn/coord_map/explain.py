"""The derivation of a coordinate map in words, one line per layer."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from .affine import AxisMap, CoordMap
from .rules import LayerWindows, Window


class Step(NamedTuple):
    """One layer on the way: from its bottom `source` to its top `target`."""

    source: str
    layer: Any
    target: str
    windows: LayerWindows


def describe(source: str, target: str, found: CoordMap, back: list[Step], forth: list[Step]) -> str:
    """`back`: layers from `source` back to the blob where both ways meet; `forth`: the same from `target`."""
    meet = back[-1].source if back else source
    lines = [f"coordinates of '{source}' in '{target}':"]
    reached = CoordMap()
    for step in back:
        reached = CoordMap.of_layer(step.windows).inverse().after(reached)
        lines.append(_line("back", step, step.source, reached))
    if back and forth:
        lines.append(f"  '{meet}' is where both come from")
    for step in reversed(forth):
        reached = CoordMap.of_layer(step.windows).after(reached)
        lines.append(_line("on", step, step.target, reached))
    lines.append(f"together: {_formula(found, target)}, x being the coordinate in '{source}'")
    return "\n".join(lines)


def _line(direction: str, step: Step, blob: str, reached: CoordMap) -> str:
    windows = "; ".join(dict.fromkeys(_window(w) for w in step.windows.axes))
    layer = f"{step.layer.type} '{step.layer.name}'{f' ({windows})' if windows else ''}"
    return f"  {direction} through {layer} to '{blob}': {_formula(reached, blob)}"


def _window(w: Window) -> str:
    if w == Window():
        return ""
    if w == Window(pad=w.pad):
        return f"offset {-w.pad}"
    return f"window {w.size}, stride {w.stride}, pad {w.pad}"


def _formula(found: CoordMap, blob: str) -> str:
    texts = list(dict.fromkeys(map(_affine, found.axes)))
    return f"{blob} = {texts[0]}" if len(texts) == 1 else f"{blob} = ({', '.join(map(_affine, found.axes))})"


def _affine(m: AxisMap) -> str:
    text = "x" if m.scale == 1 else f"{_number(m.scale)} x"
    return f"{text} {'+' if m.shift > 0 else '-'} {_number(abs(m.shift))}" if m.shift else text


def _number(value: Fraction) -> str:
    """Decimal where that is exact, else a fraction."""
    return f"{float(value):g}" if Fraction(f"{float(value):g}") == value else f"({value})"
