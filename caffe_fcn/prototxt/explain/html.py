"""The little HTML that the page needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
body { font: 15px/1.5 'DejaVu Sans', Verdana, 'Segoe UI', sans-serif; color: #1f2430; background: #fff;
       max-width: 1100px; margin: 2em auto; padding: 0 1.5em; }
h1 { font-size: 1.7em; } h2 { font-size: 1.25em; margin-top: 2em; border-bottom: 1px solid #d5dce5; }
h3 { font-size: 1em; }
table { border-collapse: collapse; font-size: 12px; } .wide { overflow-x: auto; }
th, td { padding: 2px 8px; text-align: left; white-space: nowrap; border-bottom: 1px solid #e6eaf0; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr:last-child.total td { font-weight: bold; }
pre { background: #f5f7fa; padding: .8em 1em; overflow-x: auto; font-size: 12.5px; line-height: 1.45; }
.good { color: #2d7a2d; } .bad { color: #b3261e; } svg { max-width: 100%; height: auto; }
"""


def page(title: str, sections: Iterable[str]) -> str:
    """A whole page."""
    return "\n".join(["<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">',
                      '<meta name="viewport" content="width=device-width, initial-scale=1">',
                      f"<title>{text(title)}</title><style>{STYLE}</style></head><body>", f"<h1>{text(title)}</h1>",
                      *sections, "</body></html>", ""])


def text(words: object) -> str:
    """Words as HTML; what cannot be shown becomes a question mark."""
    return escape("".join(c if c.isprintable() or c == "\n" else "?" for c in str(words)))


def section(heading: str, *parts: str) -> str:
    """A heading with paragraphs, tables and others below it."""
    return "\n".join(["<section>", f"<h2>{text(heading)}</h2>", *parts, "</section>"])


def paragraph(*sentences: str, kind: str = "") -> str:
    """Sentences of plain text."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{text(' '.join(sentence for sentence in sentences if sentence))}</p>"


def heading(words: str) -> str:
    """A small heading."""
    return f"<h3>{text(words)}</h3>"


def block(words: str) -> str:
    """Lines as they are."""
    return f"<pre>{text(words)}</pre>"


def table(header: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1, total: bool = False) -> str:
    """A table whose columns from `left` on are flush right; `total`: the last row is a sum."""
    number, sum_row = ' class="number"', ' class="total"'
    lines = ['<div class="wide"><table>', f"<tr>{''.join(f'<th>{text(cell)}</th>' for cell in header)}</tr>"]
    for i, row in enumerate(rows):
        cells = "".join(f"<td{number if j >= left else ''}>{text(cell)}</td>" for j, cell in enumerate(row))
        lines.append(f"<tr{sum_row if total and i == len(rows) - 1 else ''}>{cells}</tr>")
    return "\n".join([*lines, "</table></div>"])
