"""A skeleton drawn on a photo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

THICK = 0.012  # of a bone, in shorter sides of the photo
BONE = (255, 255, 255)


def draw_skeleton(photo: Any, joints: npt.ArrayLike, skeleton: Iterable[Sequence[int]],
                  colours: Sequence[Sequence[int]], least: float = 0.0) -> Any:
    """A copy of a PIL image, in RGB, with bones as lines and joints as dots.

    joints    (K, 3): x and y in pixels, and a score
    skeleton  pairs of joints that a bone joins
    colours   of the K joints, RGB, 0 to 255
    least     joints of a lower score are left out, with their bones

    Raises ValueError unless there is a colour for each joint.
    """
    from PIL import ImageDraw

    places = np.asarray(joints, np.float64)
    if places.ndim != 2 or places.shape[1:] != (3,) or len(places) != len(colours):
        raise ValueError(f"joints are (K, 3), with a colour for each; got the shape {places.shape} and {len(colours)} "
                         "colours")
    seen = np.isfinite(places).all(axis=1) & (places[:, 2] >= least)
    picture = photo.convert("RGB")  # a copy
    draw = ImageDraw.Draw(picture)
    width = max(2, round(THICK * min(picture.size)))
    points = [(float(x), float(y)) for x, y, _ in places]
    bones = [(points[a], points[b]) for a, b in skeleton if seen[a] and seen[b]]
    for colour, extra in (((0, 0, 0), 2), (BONE, 0)):  # black below: white alone is lost on a light photo
        for bone in bones:
            draw.line(bone, fill=colour, width=width + extra)
    for (x, y), fill, there in zip(points, colours, seen, strict=True):
        if there:
            draw.ellipse((x - width, y - width, x + width, y + width), fill=tuple(fill), outline=BONE)
    return picture
