"""How large boxes, their columns and labels are, in pixels."""

from __future__ import annotations

from typing import NamedTuple

from .graph import Blob, Box
from .text_size import text_width

SIZE = 11.0  # of the font in boxes
SMALL = 10.0  # of labels and shapes
ROW, TITLE, EDGE = 18.0, 20.0, 4.0  # heights: of a row, of a title, of what is left free at top and bottom
STRIP, GAP = 5.0, 12.0  # widths: of the coloured strip, between columns
LABEL_HEIGHT, LABEL_INDENT = 14.0, 6.0
LANE = 12.0  # between lines beside a box


class BoxSize(NamedTuple):
    """The size of a box, and where its columns start (names, words, right end of the shapes)."""

    width: float
    height: float
    rows: int
    title: float
    columns: tuple[float, float, float]

    def row_top(self, row: int) -> float:
        """From the top of the box to a row."""
        return EDGE + self.title + row * ROW


def box_size(box: Box) -> BoxSize:
    """Room for the title and all rows."""
    names, words, shapes = (max(widths) for widths in zip(*(
        (text_width(row.name, SIZE, True), text_width(row.words, SIZE), text_width(row.shape, SMALL))
        for row in box.rows), strict=True))
    first = STRIP + GAP
    second = first + names + GAP
    width = max(second + words + GAP + shapes + GAP, first + text_width(box.title, SIZE, True) + GAP)
    title = TITLE if box.title else 0.0
    return BoxSize(width, 2 * EDGE + title + ROW * len(box.rows), len(box.rows), title, (first, second, width - GAP))


def label_text(blob: Blob) -> str:
    """What stands beside a wire."""
    return f"{blob.name}  {blob.shape}"


def label_size(blob: Blob) -> tuple[float, float]:
    """Width (from the line on) and height of the label of a wire."""
    return LABEL_INDENT + text_width(label_text(blob), SMALL), LABEL_HEIGHT
