"""What the files of this folder share: what a net saw and gave, and what is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import NetError
from ..card import Card, Class, Output


@dataclass(frozen=True)
class Options:
    """What to report: `top` classes of a photo; `modes` places for each joint, moved by less than a pixel to `refine`.

    Raises ValueError for counts below 1.
    """

    top: int = 5
    modes: int = 3
    refine: bool = False

    def __post_init__(self) -> None:
        if min(self.top, self.modes) < 1:
            raise ValueError(f"top and modes are at least 1, got {self.top} and {self.modes}")


@dataclass(frozen=True)
class View:
    """One photo and what the net gave for it.

    photo    (H, W, 3) uint8, RGB, upright
    outputs  by blob, without the axis of the batch, all finite
    """

    card: Card
    photo: np.ndarray
    outputs: dict[str, np.ndarray]
    options: Options = Options()

    def maps(self, output: Output, channels: int) -> np.ndarray:
        """An output (channels, h, w). Raises NetError for another shape, naming the blob."""
        found = self.outputs[output.blob]
        if found.ndim != 3 or len(found) != channels:
            raise NetError(f"the card of '{self.card.name}' wants {channels} maps in '{output.blob}'; the net gives "
                           f"the shape {(1, *found.shape)}")
        return found

    def colours(self) -> Any:
        """The photo as a PIL image."""
        from PIL import Image

        return Image.fromarray(self.photo)

    def to_photo(self, values: np.ndarray) -> np.ndarray:
        """A map (h, w) in the size of the photo: labels (uint8) by the nearest pixel, float32 bilinear."""
        height, width = self.photo.shape[:2]
        if values.shape == (height, width):
            return values
        from PIL import Image

        rule = Image.Resampling.NEAREST if values.dtype == np.uint8 else Image.Resampling.BILINEAR
        return np.asarray(Image.fromarray(values).resize((width, height), rule))


@dataclass(frozen=True)
class Prediction:
    """What is made of one photo.

    pictures  PIL images by what follows the name of the photo, such as "_overlay.png"
    facts     for JSON
    text      for people, some lines
    """

    pictures: dict[str, Any]
    facts: dict[str, Any]
    text: str


def described(number: int, entry: Class) -> dict[str, Any]:
    """A class or a joint for JSON."""
    return {"id": number, "name": entry.name, "colour": list(entry.colour)}
