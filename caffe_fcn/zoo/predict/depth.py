"""Depth: 16 bits of millimetres a pixel, and a picture in colours."""

from __future__ import annotations

import numpy as np

from ...errors import NotSupportedError
from ..card import Card
from .view import Prediction, View

MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
FARTHEST = 65535  # that 16 bits hold; 0 stands for no depth
# From near to far, RGB; between them linear.
COLOURS = np.array([[255, 245, 170], [253, 174, 97], [215, 48, 69], [110, 20, 110], [15, 10, 60]], np.float32)
ENDS = (2, 98)  # percentiles of the depths that have the first and the last colour


def suffixes(card: Card) -> list[str]:
    """Of the pictures. Raises NotSupportedError for a unit that is no length."""
    if card.output.unit not in MILLIMETRES:
        raise NotSupportedError(f"{card.folder}: output.unit = {card.output.unit!r} must be one of "
                                f"{', '.join(MILLIMETRES)}")
    return [".png", "_colour.png"]


def predict(view: View) -> Prediction:
    """A grey picture of 16 bits, in millimetres; one in colours, bright where it is near; nearest, median, farthest."""
    from PIL import Image

    output = view.card.output
    scores = view.to_photo(view.maps(output, 1)[0]).astype(np.float64) + output.mean
    with np.errstate(over="ignore"):  # what overflows is farther than 16 bits tell
        depth = (np.exp(scores) if output.log else scores) * MILLIMETRES[str(output.unit)]
    depth = np.clip(depth, 1, FARTHEST)
    ends = np.percentile(depth, ENDS)
    place = np.clip((depth - ends[0]) / max(ends[1] - ends[0], 1e-9), 0, 1) * (len(COLOURS) - 1)
    steps = np.arange(len(COLOURS))
    colours = np.stack([np.interp(place, steps, channel) for channel in COLOURS.T], axis=-1)
    pictures = {".png": Image.fromarray(np.rint(depth).astype(np.uint16)),
                "_colour.png": Image.fromarray(np.rint(colours).astype(np.uint8))}
    low, middle, high = (float(value) for value in np.percentile(depth, (0, 50, 100)))
    facts = {"depth_mm": {"nearest": low, "median": middle, "farthest": high},
             "colours_mm": {"first": float(ends[0]), "last": float(ends[1])}}
    return Prediction(pictures, facts, f"{low / 1000:.2f} to {high / 1000:.2f} m, median {middle / 1000:.2f} m")
