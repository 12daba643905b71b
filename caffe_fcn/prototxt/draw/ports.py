"""Where links meet a box: at its top, at its bottom, or beside a row, with a lane of their own at that side."""

from __future__ import annotations

from .layered import Layered, Node
from .measure import LANE


def set_ports(net: Layered) -> None:
    """Set `ports`, `margin` and `width` of all nodes, whose order is final."""
    places = {id(node): i for rank in net.ranks for i, node in enumerate(rank)}
    for rank in net.ranks:
        for node in rank:
            if node.size is None:
                node.ports = dict.fromkeys(map(id, node.ins + node.outs), 0.0)
            else:
                _box_ports(node, places)


def _box_ports(node: Node, places: dict[int, int]) -> None:
    assert node.size is not None
    top = sorted((link for link in node.ins if not link.to_side), key=lambda link: places[id(link.start)])
    bottom = sorted((link for link in node.outs if not link.from_side), key=lambda link: places[id(link.end)])
    side = sorted((link for link in node.ins if link.to_side), key=lambda link: link.end_row)  # inner lanes first
    centre = sum(places[id(link.start)] for link in top) / len(top) if top else float(len(places))
    left = [link for link in side if places[id(link.start)] < centre]
    right = [link for link in side if places[id(link.start)] >= centre]
    right += sorted((link for link in node.outs if link.from_side), key=lambda link: -link.start_row)
    node.margin = LANE * len(left)
    node.width = node.margin + node.size.width + LANE * len(right)
    end = node.margin + node.size.width
    node.ports = {id(link): node.margin - LANE * (i + 1) for i, link in enumerate(left)}
    node.ports.update({id(link): end + LANE * (i + 1) for i, link in enumerate(right)})
    for links in (top, bottom):
        step = node.size.width / (len(links) + 1)
        node.ports.update({id(link): node.margin + step * (i + 1) for i, link in enumerate(links)})
