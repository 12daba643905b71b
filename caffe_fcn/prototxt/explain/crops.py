"""Where the offset of each Crop comes from."""

from __future__ import annotations

from typing import NamedTuple

from ...coord_map import CoordMaps
from ..shapes import NetShapes


class CropOffset(NamedTuple):
    """A Crop with the offset that it has and the one that lays its bottoms over each other.

    given    per axis, or one for all
    derived  likewise; None if there is none, for the `reason`
    steps    the derivation, a line for each layer; empty if no layers connect the bottoms
    """

    layer: str
    bottoms: tuple[str, str]
    given: tuple[int, ...]
    derived: tuple[int, ...] | None
    reason: str
    steps: str

    @property
    def agrees(self) -> bool:
        """Whether both are the same."""
        if self.derived is None:
            return False
        count = max(len(self.given), len(self.derived))
        return _spread(self.given, count) == _spread(self.derived, count)


def crop_offsets(shapes: NetShapes, maps: CoordMaps) -> list[CropOffset]:
    """The crops of rows and columns, in the order of the net."""
    found = []
    for param in (row.param for row in shapes.layers):
        if param.type != "Crop" or len(param.bottom) != 2 or param.crop_param.axis != 2:
            continue
        bottoms = param.bottom[0], param.bottom[1]
        derived, reason, steps = None, "", ""
        try:
            steps = maps.explain(*bottoms)
            derived = maps.crop_offsets(*bottoms)
        except (KeyError, ValueError) as error:
            reason = str(error.args[0])
        found.append(CropOffset(param.name, bottoms, tuple(param.crop_param.offset) or (0,), derived, reason, steps))
    return found


def _spread(values: tuple[int, ...], count: int) -> tuple[int, ...]:
    return values * count if len(values) == 1 else values
