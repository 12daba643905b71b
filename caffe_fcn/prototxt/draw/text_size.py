"""How wide a text is, so that boxes fit without asking a browser: the widths of the wide font DejaVu Sans."""

from __future__ import annotations

# Per cent of the size of the font, for the characters from the blank to the tilde.
WIDTHS = (
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 54,
    100, 69, 69, 70, 78, 64, 58, 78, 76, 30, 30, 66, 56, 87, 75, 79,
    61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69, 40, 34, 40, 84, 50,
    50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62,
    64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
)
OTHER = 100  # of characters beyond these
BOLD = 1.15  # how much wider bold texts are


def text_width(text: str, size: float, bold: bool = False) -> float:
    """The width in pixels of a text whose font has the height `size`."""
    total = sum(WIDTHS[ord(c) - 32] if " " <= c <= "~" else OTHER for c in text)
    return total * size / 100 * (BOLD if bold else 1)
