"""Pictures of scores: a confusion matrix, and predictions beside what is true."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LONGEST = 24  # letters of a class in the picture
SIDE = 900  # pixels that all cells together may have
CELLS = (14, 44)  # smallest and largest cell
WITH_NUMBERS = 28  # cells from this size on
DARK = np.array([8, 48, 107], np.float64)  # of a share of 1; 0 is white
INK, PALE, GREY = (20, 20, 20), (255, 255, 255), (225, 225, 225)


def confusion_picture(matrix: np.ndarray, names: Sequence[str]) -> Any:
    """A PIL image: in row i, column j the share of the pixels of class i that were taken for class j.

    matrix  (C, C) counts, rows truth; classes without pixels have a grey row
    """
    from PIL import Image, ImageDraw, ImageFont

    count = len(matrix)
    cell = int(np.clip(SIDE // max(count, 1), *CELLS))
    font: Any = ImageFont.load_default(min(14, cell - 2))
    labels = [name if len(name) <= LONGEST else f"{name[:LONGEST - 1]}\u2026" for name in names]
    margin = 12 + max((int(font.getlength(label)) for label in labels), default=0)
    left, top = margin + 24, margin + 24
    picture = Image.new("RGB", (left + cell * count + 12, top + cell * count + 12), PALE)
    draw = ImageDraw.Draw(picture)
    totals = matrix.sum(axis=1)
    shares = matrix / np.maximum(totals, 1)[:, None]
    for i in range(count):
        middle = cell * i + cell // 2
        draw.text((left - 6, top + middle), labels[i], INK, font, anchor="rm")
        _upright(picture, (left + middle, top - 6), labels[i], font)
        for j in range(count):
            corner = left + cell * j, top + cell * i
            share = shares[i, j]
            colour = tuple(np.rint(255 + share * (DARK - 255)).astype(int)) if totals[i] else GREY
            draw.rectangle([*corner, corner[0] + cell - 2, corner[1] + cell - 2], colour)
            if cell >= WITH_NUMBERS and totals[i] and share >= 0.005:
                draw.text((corner[0] + cell // 2, corner[1] + cell // 2), f"{100 * share:.0f}",
                          PALE if share > 0.5 else INK, font, anchor="mm")
    draw.text((left, 6), "predicted, % of the true class", INK, font)
    _upright(picture, (10, top + int(font.getlength("true")) + 4), "true", font)
    return picture


def _upright(picture: Any, place: tuple[int, int], text: str, font: Any) -> None:
    """Write upwards; `place` is where the middle of the line begins."""
    from PIL import Image, ImageDraw

    height = sum(font.getmetrics())
    strip = Image.new("RGB", (int(font.getlength(text)) + 1, height), PALE)
    ImageDraw.Draw(strip).text((0, height // 2), text, INK, font, anchor="lm")
    strip = strip.rotate(90, expand=True)
    picture.paste(strip, (place[0] - height // 2, place[1] - strip.height))


def side_by_side(truth: np.ndarray, predicted: np.ndarray, palette: np.ndarray, photo: np.ndarray | None = None) -> Any:
    """A PIL image: the photo (height, width, 3) uint8 RGB if given, truth and prediction in colours.

    truth, predicted  (height, width) uint8 ids
    palette           (256, 3) uint8
    """
    from PIL import Image

    gap = np.full((len(truth), 4, 3), 255, np.uint8)
    parts = [] if photo is None else [photo, gap]
    return Image.fromarray(np.concatenate([*parts, palette[truth], gap, palette[predicted]], axis=1))
