"""Tables of text, for terminals and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def as_lines(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Columns with blanks between them; the first `left` columns are flush left, the others right."""
    table = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) if i < left else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in table)


def as_markdown(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """A Markdown table."""
    marks = ["---" if i < left else "---:" for i in range(len(header))]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
                     for row in [header, marks, *rows])
