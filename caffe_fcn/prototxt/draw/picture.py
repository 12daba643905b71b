"""What a picture is made of: rectangles, texts and lines, in pixels from the upper left corner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .graph import Box, Graph, Row, is_input
from .layered import Layered, Link, Node, layered
from .measure import EDGE, LABEL_INDENT, ROW, SIZE, SMALL, STRIP, label_text
from .order import order
from .place import place, port
from .ports import set_ports
from .text_size import text_width

MARGIN, HEAD, FOOT = 20.0, 26.0, 22.0
TITLE_SIZE = 14.0
INK, GRAY, LINE, SKIP, PALE, WHITE = "#1f2430", "#5f6b7a", "#48566a", "#c2570c", "#98a2b0", "#ffffff"
STRIPS = {"data": "#6b7280", "conv": "#2563a8", "pool": "#4d9a3f", "up": "#8e44ad", "join": "#d08700",
          "loss": "#c0392b", "other": "#7f8c9b", "problem": "#e00000"}
STAGE, PLAIN, DATA, BORDER = "#eef4fb", "#fbfbfd", "#f1f2f4", "#b6c2d1"

Point = tuple[float, float]


class Rect(NamedTuple):
    """A rectangle with round corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    stroke: str = ""
    radius: float = 0.0


class Text(NamedTuple):
    """A text whose base line starts (or, if `right`, ends) at a point; `role` is box, label, title or note."""

    x: float
    y: float
    text: str
    size: float
    color: str = INK
    bold: bool = False
    right: bool = False
    role: str = "box"

    @property
    def width(self) -> float:
        """How much room is planned for it."""
        return text_width(self.text, self.size, self.bold)


class Curve(NamedTuple):
    """Straight pieces and Bezier curves: a start, then for each piece one point, or three for a curve."""

    start: Point
    pieces: tuple[tuple[Point, ...], ...]
    color: str
    thickness: float
    dashed: bool = False
    arrow: bool = False


class Picture(NamedTuple):
    """Rectangles under curves under texts."""

    width: float
    height: float
    rects: tuple[Rect, ...]
    curves: tuple[Curve, ...]
    texts: tuple[Text, ...]


def picture_of(graph: Graph, title: str = "", note: str = "") -> Picture:
    """Lay a graph out and draw it. `title` stands above, `note` below."""
    net = layered(graph)
    order(net)
    set_ports(net)
    width, height = place(net)
    texts = [Text(MARGIN, MARGIN + TITLE_SIZE, title, TITLE_SIZE, bold=True, role="title")] if title else []
    top = MARGIN + (HEAD if title else 0)
    _move(net, MARGIN, top)
    bottom = top + height
    if note:
        texts.append(Text(MARGIN, bottom + FOOT, note, SMALL, GRAY, role="note"))
        bottom += FOOT
    rects: list[Rect] = []
    for node, box in zip(net.boxes, graph.boxes, strict=True):
        box_rects, box_texts = _box(node, box)
        rects += box_rects
        texts += box_texts
    for rank in net.ranks:
        texts += [Text(node.left + LABEL_INDENT, node.top + SMALL, label_text(graph.wires[node.wire].blob), SMALL, GRAY,
                       role="label") for node in rank if node.wire is not None and node.width]
    wide = max([width + MARGIN, *(text.x + text.width for text in texts if text.role in ("title", "note"))])
    curves = tuple(_curve(link, net) for link in net.links)
    return Picture(wide + MARGIN, bottom + MARGIN, tuple(rects), curves, tuple(texts))


def _move(net: Layered, right: float, down: float) -> None:
    for rank in net.ranks:
        for node in rank:
            node.left += right
            node.top += down


def _box(node: Node, box: Box) -> tuple[list[Rect], list[Text]]:
    """The frame with its title, and a strip and three texts for each row."""
    size = node.size
    assert size is not None
    x, y = node.left + node.margin, node.top
    fill = DATA if is_input(box) else STAGE if box.title else PLAIN
    rects = [Rect(x, y, size.width, size.height, fill, BORDER, 4.0)]
    texts = [Text(x + size.columns[0], y + EDGE + SIZE + 2, box.title, SIZE, bold=True)] if box.title else []
    for i, row in enumerate(box.rows):
        top = y + size.row_top(i)
        rects.append(Rect(x + 3, top + 1, STRIP, ROW - 2, STRIPS[row.kind]))
        texts += _row(row, x, top + SIZE + 2, size.columns, not box.title)
    return rects, texts


def _row(row: Row, x: float, base: float, columns: Sequence[float], bold: bool) -> list[Text]:
    color = STRIPS["problem"] if row.problem else INK
    return [Text(x + columns[0], base, row.name, SIZE, color, bold),
            Text(x + columns[1], base, row.words, SIZE, color if row.problem else GRAY),
            Text(x + columns[2], base, row.shape, SMALL, GRAY, right=True)]


def _curve(link: Link, net: Layered) -> Curve:
    start, end = link.start, link.end
    x0, x1 = port(link, start), port(link, end)
    bottom = start.top + max(node.height for node in net.ranks[start.rank])
    begin: Point = (x0, start.top + start.height)
    pieces: list[tuple[Point, ...]] = []
    if start.size is not None and link.from_side:
        y = start.top + start.size.row_top(link.start_row) + ROW / 2
        begin = (start.left + start.margin + start.size.width, y)
        pieces += [((x0 - 5, y),), ((x0, y), (x0, y), (x0, y + 5))]
    if start.size is None:
        begin = (x0, start.top)
    pieces.append(((x0, bottom),))
    middle = (bottom + end.top) / 2
    pieces.append(((x1, end.top),) if abs(x0 - x1) < 0.01 else ((x0, middle), (x1, middle), (x1, end.top)))
    if end.size is not None and link.to_side:
        y = end.top + end.size.row_top(link.end_row) + ROW / 2
        inner = end.left + end.margin + (0 if x1 < end.left + end.margin else end.size.width)
        turn = 5 if inner > x1 else -5
        pieces += [((x1, y - 5),), ((x1, y), (x1, y), (x1 + turn, y)), ((inner, y),)]
    color = PALE if link.size_only else SKIP if link.skip else LINE
    return Curve(begin, tuple(pieces), color, 1.8 if link.skip and not link.size_only else 1.2, link.size_only,
                 end.size is not None)
