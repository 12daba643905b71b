"""Graphs in the language of Graphviz, and pictures by its program `dot` where that is installed."""

from __future__ import annotations

import shutil
import subprocess
from html import escape

from ...errors import NotSupportedError
from .graph import Box, Graph, Wire, is_input
from .measure import label_text
from .picture import DATA, GRAY, LINE, PALE, PLAIN, STAGE, STRIPS

FONT = "DejaVu Sans"
SECONDS = 60  # that `dot` may take


def to_dot(graph: Graph, title: str = "") -> str:
    """The graph in the DOT language: a table for each box, with a port for each row."""
    lines = ["digraph net {", f"  graph [label=<{_escaped(title)}>, labelloc=t, fontname=\"{FONT}\"];",
             f'  node [shape=plain, fontname="{FONT}", fontsize=10];',
             f'  edge [fontname="{FONT}", fontsize=9, fontcolor="{GRAY}", color="{LINE}", arrowsize=0.6];']
    lines += [f"  b{b} [label=<{_table(box)}>];" for b, box in enumerate(graph.boxes)]
    for w, wire in enumerate(graph.wires):
        lines += _edges(w, wire, graph)
    return "\n".join([*lines, "}", ""])


def _edges(w: int, wire: Wire, graph: Graph) -> list[str]:
    blob, label = wire.blob, _escaped(label_text(wire.blob))
    last = blob.row == len(graph.boxes[blob.box].rows) - 1
    start = f"b{blob.box}:r{blob.row}:{'s' if last else 'e'}"
    if not wire.ends:
        return [f"  o{w} [label=<{label}>, fontsize=9];", f"  {start} -> o{w};"]
    lines = []
    for end in wire.ends:
        style = f', style=dashed, color="{PALE}"' if end.size_only else ""
        to = f"b{end.box}:l{end.row}:w" if end.row else f"b{end.box}:n"
        lines.append(f"  {start} -> {to} [label=<&nbsp;{label}>{style}];")
    return lines


def _table(box: Box) -> str:
    fill = DATA if is_input(box) else STAGE if box.title else PLAIN
    rows = [f'<TR><TD COLSPAN="3" ALIGN="LEFT"><B>{_escaped(box.title)}</B></TD></TR>'] if box.title else []
    for i, row in enumerate(box.rows):
        rows.append(f'<TR><TD BGCOLOR="{STRIPS[row.kind]}" WIDTH="5" PORT="l{i}"></TD>'
                    f'<TD ALIGN="LEFT">{_escaped(row.name)}</TD>'
                    f'<TD ALIGN="LEFT" PORT="r{i}">{_escaped(row.words)}  {_escaped(row.shape)}</TD></TR>')
    return f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="1" BGCOLOR="{fill}">{"".join(rows)}</TABLE>'


def _escaped(text: str) -> str:
    return escape(text) or " "


def run_dot(text: str, format: str) -> bytes:
    """What `dot` makes of a text. Raises NotSupportedError where it is missing, too slow, or does not know a format."""
    program = shutil.which("dot")
    if program is None:
        raise NotSupportedError(f"a picture of the format '{format}' needs the program `dot` of Graphviz on the PATH; "
                                "install it, or write .svg, .png, .mmd or .dot")
    try:
        done = subprocess.run([program, f"-T{format}"], input=text.encode(), capture_output=True, check=False,
                              timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise NotSupportedError(f"dot needs more than {SECONDS} seconds for this net; write .svg or .png by the engine "
                                "'own'") from None
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise NotSupportedError(f"dot cannot write '{format}': {reason}")
    return done.stdout
