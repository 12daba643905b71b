"""Boxes in ranks, and the long wires between them cut into links from rank to rank.

After K. Sugiyama, S. Tagawa, M. Toda: Methods for visual understanding of hierarchical system structures, IEEE
Transactions on Systems, Man, and Cybernetics, 1981. Boxes have even ranks, the labels of wires odd ones, so that
nothing but straight lines passes beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .graph import Graph
from .measure import BoxSize, box_size, label_size


@dataclass(eq=False)
class Node:
    """Something with a place in a rank: a box, the label of a wire, or a point that a wire passes."""

    rank: int
    box: int | None = None
    wire: int | None = None
    width: float = 0.0
    height: float = 0.0
    left: float = 0.0
    margin: float = 0.0  # left of the box, for lines that reach its rows from the side
    top: float = 0.0
    size: BoxSize | None = None
    ins: list[Link] = field(default_factory=list)
    outs: list[Link] = field(default_factory=list)
    ports: dict[int, float] = field(default_factory=dict)  # from the left, by id of the link

    @property
    def on_trunk(self) -> bool:
        """Whether the longest way passes here."""
        return any(link.trunk for link in self.ins + self.outs)

    @property
    def is_point(self) -> bool:
        """Whether a wire only passes here."""
        return not self.width


@dataclass(eq=False)
class Link:
    """A piece of a wire from `start` to `end` in the next rank. `row` of a box at either end, else 0."""

    wire: int
    start: Node
    end: Node
    start_row: int = 0
    end_row: int = 0
    size_only: bool = False
    trunk: bool = False  # part of the longest way

    @property
    def skip(self) -> bool:
        """Whether it is part of a way past other boxes."""
        return self.start.is_point or self.end.is_point

    @property
    def from_side(self) -> bool:
        """Whether it leaves a box beside a row before the last."""
        return self.start.size is not None and self.start_row < self.start.size.rows - 1

    @property
    def to_side(self) -> bool:
        """Whether it reaches a box beside a row behind the first."""
        return self.end_row > 0


@dataclass
class Layered:
    """The nodes by rank, in their order from left to right; `depths`: most rows on a
    way down from each node, by its id."""

    ranks: list[list[Node]]
    boxes: list[Node]
    depths: dict[int, int]

    @property
    def links(self) -> list[Link]:
        """All links."""
        return [link for rank in self.ranks for node in rank for link in node.outs]


def layered(graph: Graph) -> Layered:
    """The ranks of a graph, not ordered yet."""
    ranks = _ranks(graph)
    sizes = [box_size(box) for box in graph.boxes]
    boxes = [Node(rank, box=b, size=size, width=size.width, height=size.height)
             for b, (size, rank) in enumerate(zip(sizes, ranks, strict=True))]
    rows: list[list[Node]] = [[] for _ in range(max(ranks) + 2)]
    for node in boxes:
        rows[node.rank].append(node)
    for w, wire in enumerate(graph.wires):
        start = boxes[wire.blob.box]
        label = Node(start.rank + 1, wire=w)
        label.width, label.height = label_size(wire.blob)
        rows[label.rank].append(label)
        _link(Link(w, start, label, start_row=wire.blob.row))
        for size_only in (False, True):
            _lead(rows, label, w, [(boxes[end.box], end.row) for end in wire.ends if end.size_only == size_only],
                  size_only)
    net = Layered([row for row in rows if row], boxes, _depths(rows))
    _mark_trunk(net)
    return net


def _ranks(graph: Graph) -> list[int]:
    """Twice the length of the longest way to each box; boxes without inputs stand right above where they are read."""
    sources: list[set[int]] = [set() for _ in graph.boxes]
    readers: list[set[int]] = [set() for _ in graph.boxes]
    for wire in graph.wires:
        for end in wire.ends:
            sources[end.box].add(wire.blob.box)
            readers[wire.blob.box].add(end.box)
    ranks = [0] * len(graph.boxes)
    for b in _upwards(sources):
        ranks[b] = max((ranks[source] + 2 for source in sources[b]), default=0)
    for b, reading in enumerate(readers):
        if reading and not sources[b]:
            ranks[b] = min(ranks[reader] for reader in reading) - 2
    return ranks


def _upwards(sources: list[set[int]]) -> list[int]:
    """The boxes in an order in which each stands behind its sources."""
    order: list[int] = []
    missing = [len(before) for before in sources]
    readers: list[list[int]] = [[] for _ in sources]
    for b, before in enumerate(sources):
        for source in before:
            readers[source].append(b)
    ready = [b for b, count in enumerate(missing) if not count]
    while ready:
        order.append(ready.pop())
        for reader in readers[order[-1]]:
            missing[reader] -= 1
            if not missing[reader]:
                ready.append(reader)
    return order


def _lead(rows: list[list[Node]], label: Node, wire: int, ends: list[tuple[Node, int]], size_only: bool) -> None:
    """Lead a wire from its label to all boxes that read it, along one line as far as they share the way."""
    last = label
    for rank in range(label.rank + 1, max((end.rank for end, _ in ends), default=0) + 1):
        for end, row in ends:
            if end.rank == rank:
                _link(Link(wire, last, end, end_row=row, size_only=size_only))
        if any(end.rank > rank for end, _ in ends):
            point = Node(rank, wire=wire)
            rows[rank].append(point)
            _link(Link(wire, last, point, size_only=size_only))
            last = point


def _depths(rows: list[list[Node]]) -> dict[int, int]:
    depths: dict[int, int] = {}
    for row in reversed(rows):
        for node in row:
            depths[id(node)] = max(((link.end.size.rows if link.end.size else 0) + depths[id(link.end)]
                                    for link in node.outs if not link.size_only), default=0)
    return depths


def _mark_trunk(net: Layered) -> None:
    """Mark the links of the way through most rows."""
    node = max(net.boxes, key=lambda box: net.depths[id(box)])
    while True:
        links = [link for link in node.outs if not link.size_only]
        if not links:
            return
        link = max(links, key=lambda link: net.depths[id(link.end)])
        link.trunk, node = True, link.end


def _link(link: Link) -> None:
    link.start.outs.append(link)
    link.end.ins.append(link)
