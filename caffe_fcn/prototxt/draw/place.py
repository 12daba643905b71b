"""Where nodes stand: lines as straight as the order allows, by linear programming.

The sum of the horizontal distances that links bridge is the least possible, links of long lines counting most; after
E. R. Gansner, E. Koutsofios, S. C. North, K.-P. Vo: A technique for drawing directed graphs, IEEE Transactions on
Software Engineering, 1993.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .layered import Layered, Link, Node

BETWEEN_BOXES, BETWEEN_LINES = 30.0, 14.0
GAP, MOST_GAP = 12.0, 36.0  # height between ranks
STEEP = 0.04  # more height per pixel that a link goes sideways
TRUNK = 100.0  # weight of the links on the longest way
COMPACT = 1e-3  # weight of the distance from the left edge


def place(net: Layered) -> tuple[float, float]:
    """Set `left` and `top` of all nodes, whose ports are known; returns the width and height of all together."""
    _columns(net)
    height = _rows(net)
    return max(node.left + node.width for rank in net.ranks for node in rank), height


def _columns(net: Layered) -> None:
    """Minimise sum w |x_a + port_a - x_b - port_b|, each node right of the one before it."""
    import numpy as np
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    nodes = [node for rank in net.ranks for node in rank]
    links = net.links
    number = {id(node): i for i, node in enumerate(nodes)}
    cells: list[tuple[int, int, float]] = []  # row, column, value of the inequalities
    limits: list[float] = []
    for rank in net.ranks:
        for a, b in pairwise(rank):
            cells += [(len(limits), number[id(a)], 1.0), (len(limits), number[id(b)], -1.0)]
            limits.append(-a.width - (BETWEEN_BOXES if a.width and b.width else BETWEEN_LINES))
    for k, link in enumerate(links):  # its distance, an unknown of its own, is at least the difference of the ends
        apart = link.start.ports[id(link)] - link.end.ports[id(link)]
        for sign in (1.0, -1.0):
            row = len(limits)
            cells += [(row, number[id(link.start)], sign), (row, number[id(link.end)], -sign),
                      (row, len(nodes) + k, -1.0)]
            limits.append(-sign * apart)
    rows, columns, values = zip(*cells, strict=True) if cells else ((), (), ())
    costs = np.array([COMPACT] * len(nodes) + [_weight(link) for link in links])
    matrix: Any = csr_matrix((values, (rows, columns)), shape=(len(limits), len(costs)))
    found = linprog(costs, A_ub=matrix, b_ub=limits, bounds=(0, None), method="highs")
    places: Any = found.x
    for node, x in zip(nodes, places, strict=False):
        node.left = float(x)


def _weight(link: Link) -> float:
    if link.trunk:
        return TRUNK
    points = link.start.is_point + link.end.is_point
    return (0.5 if link.size_only else 1.0) * (2.0, 4.0, 16.0)[points]


def _rows(net: Layered) -> float:
    """Set the tops, with more room where links go far sideways; returns the height of all."""
    top = 0.0
    for rank in net.ranks:
        for node in rank:
            node.top = top
        farthest = max((abs(port(link, link.start) - port(link, link.end)) for node in rank for link in node.outs),
                       default=0.0)
        bottom = top + max(node.height for node in rank)
        top = bottom + min(MOST_GAP, GAP + STEEP * farthest)
    return bottom


def port(link: Link, node: Node) -> float:
    """Where a link meets a node, from the left edge of the picture."""
    return node.left + node.ports[id(link)]
