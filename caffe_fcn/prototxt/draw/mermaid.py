"""Graphs in the language of Mermaid, which code hosts draw in Markdown files."""

from __future__ import annotations

from .graph import Box, Graph
from .measure import label_text

OPEN, CLOSE = '["', '"]'


def to_mermaid(graph: Graph) -> str:
    """A flow chart with a node for each box; dashed arrows where only the size of a blob is read."""
    lines = ["flowchart TD"]
    lines += [f"    b{b}{OPEN}{_label(box)}{CLOSE}" for b, box in enumerate(graph.boxes)]
    for w, wire in enumerate(graph.wires):
        label = _escaped(label_text(wire.blob))
        if not wire.ends:
            lines.append(f'    b{wire.blob.box} --> o{w}(["{label}"])')
        for box, size_only in dict.fromkeys((end.box, end.size_only) for end in wire.ends):
            arrow = "-.->" if size_only else "-->"
            lines.append(f'    b{wire.blob.box} {arrow}|"{label}"| b{box}')
    return "\n".join([*lines, ""])


def _label(box: Box) -> str:
    rows = [f"{_escaped(row.name)}: {_escaped(row.words)}" for row in box.rows]
    title = [f"<b>{_escaped(box.title)}</b>"] if box.title else []
    return "<br/>".join([*title, *rows])


def _escaped(text: str) -> str:
    """Characters that mean something to Mermaid or to HTML, as entities."""
    return "".join(f"#{ord(c)};" if c in "\"#&<>;`|[](){}" else c for c in text)
