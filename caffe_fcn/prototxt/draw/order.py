"""The order of the nodes in each rank, so that few links cross: sweeps of barycentres, then swaps of neighbours."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from itertools import pairwise

from .layered import Layered, Link, Node

SWEEPS = 12
BESIDE = 0.4  # of a place: how far right of a box the lines start that leave it at its side
MOST_SWAPS = 2000  # nodes; larger graphs are left as the sweeps leave them

Ranks = list[list[Node]]


def order(net: Layered) -> None:
    """Order `net.ranks` in place. The longest way from the first box on comes out leftmost."""
    best = _first_order(net)
    fewest, current = crossings(best), best
    for sweep in range(SWEEPS):
        current = _sweep([list(rank) for rank in current], down=sweep % 2 == 0)
        if sum(map(len, current)) <= MOST_SWAPS:
            _swap_neighbours(current)
        count = crossings(current)
        if count < fewest:
            best, fewest = current, count
    net.ranks = best


def crossings(ranks: Ranks) -> int:
    """How many pairs of links cross."""
    total = 0
    for upper, lower in pairwise(ranks):
        places = {id(node): i for i, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            for beside in (False, True):  # lines from the side of a box lie right of those from its bottom
                ends = [places[id(link.end)] for link in node.outs if link.from_side == beside]
                total += sum(len(seen) - bisect_right(seen, end) for end in ends)
                for end in ends:
                    insort(seen, end)
    return total


def _first_order(net: Layered) -> Ranks:
    """Nodes in the order in which a walk finds them that follows the deepest way first."""
    found: Ranks = [[] for _ in net.ranks]
    seen: set[int] = set()
    for box in net.boxes:
        todo = [box]
        while todo:
            node = todo.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            found[node.rank].append(node)
            outs = sorted(node.outs, key=lambda link: (not link.trunk, link.from_side, link.skip, link.size_only,
                                                        -net.depths[id(link.end)]))
            todo.extend(link.end for link in reversed(outs))
    return found


def _sweep(ranks: Ranks, down: bool) -> Ranks:
    """Sort each rank by the mean place of the neighbours in the rank before."""
    for i in range(1, len(ranks)) if down else range(len(ranks) - 2, -1, -1):
        before = {id(node): float(place) for place, node in enumerate(ranks[i - 1 if down else i + 1])}
        keys: dict[int, float] = {}
        for place, node in enumerate(ranks[i]):
            near = ([before[id(link.start)] + BESIDE * link.from_side for link in node.ins] if down
                    else [before[id(link.end)] for link in node.outs])
            keys[id(node)] = sum(near) / len(near) if near else float(place)
        ranks[i].sort(key=lambda node: (not node.on_trunk, keys[id(node)]))
    return ranks


def _swap_neighbours(ranks: Ranks) -> None:
    """Swap neighbours as long as that saves crossings."""
    for _ in range(4):
        better = False
        for i, rank in enumerate(ranks):
            above = {id(node): place for place, node in enumerate(ranks[i - 1])} if i else {}
            below = {id(node): place for place, node in enumerate(ranks[i + 1])} if i + 1 < len(ranks) else {}
            for j in range(len(rank) - 1):
                a, b = rank[j], rank[j + 1]
                if a.on_trunk:
                    continue
                gain = (_pairs(a.ins, b.ins, above, lambda link: link.start)
                        + _pairs(a.outs, b.outs, below, lambda link: link.end))
                if gain > 0:
                    rank[j], rank[j + 1], better = b, a, True
        if not better:
            return


def _pairs(a: Sequence[Link], b: Sequence[Link], places: dict[int, int], other: Callable[[Link], Node]) -> int:
    """Crossings of the links of `a` with those of `b` while `a` is left of `b`, less those after a swap."""
    total = 0
    for link in a:
        for second in b:
            first_place = places[id(other(link))] + BESIDE * (link.from_side and other(link) is link.start)
            second_place = places[id(other(second))] + BESIDE * (second.from_side and other(second) is second.start)
            total += (first_place > second_place) - (first_place < second_place)
    return total
