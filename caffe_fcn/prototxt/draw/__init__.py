"""Pictures of nets: chains of layers as one box for each stage, shapes beside the lines, skips past the boxes.

>>> from caffe_fcn.prototxt.draw import draw
>>> from caffe_fcn.proto.upgrade import read_net
>>> svg = draw(read_net("deploy.prototxt"), "svg")        # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...errors import NetError, NotSupportedError
from ...proto import caffe_pb2
from ..shapes import NetShapes, Sizes, net_shapes, text_of
from .dot import run_dot, to_dot
from .graph import graph_of
from .mermaid import to_mermaid
from .picture import Picture, picture_of
from .png import to_png
from .svg import to_svg
from .words import clean

__all__ = ["ENGINES", "GRAPHVIZ", "OWN", "Picture", "draw", "draw_shapes", "net_picture", "to_png", "to_svg"]

OWN, GRAPHVIZ = ENGINES = ("own", "graphviz")
NOTE = "Shapes of images are channels x height x width. Dashed: only the size is read. Orange: past other boxes."


def draw(
    net: Any, format: str = "svg", phase: int = 1, sizes: Sizes | None = None, stages: Iterable[str] = (),
    engine: str = OWN, scale: float = 2.0, dialect: str | None = None,
) -> bytes:
    """The picture of a NetParameter (already upgraded) as the bytes of a file.

    format   svg, png, mmd (Mermaid), dot, or another that Graphviz writes, such as pdf
    engine   own: the layout of this package, the same everywhere; graphviz: that of `dot`, where it is installed
    scale    pixels of a PNG by own layout for each of the picture's (which are made for a font of 11 pixels)

    dialect  whose Caffe the net is for, as for Net

    Raises NetError for a net without layers in this phase, NotSupportedError for what cannot be written here.
    """
    shapes = net_shapes(net, phase, sizes, stages=stages, dialect=dialect)
    return draw_shapes(shapes, text_of(net.name), format, engine, scale)


def draw_shapes(
    shapes: NetShapes, name: str = "", format: str = "svg", engine: str = OWN, scale: float = 2.0
) -> bytes:
    """As `draw`, for a net whose shapes are known already."""
    if engine not in ENGINES:
        raise NotSupportedError(f"there is no layout engine '{engine}'; choose one of {', '.join(ENGINES)}")
    _check(shapes)
    if format == "mmd":
        return to_mermaid(graph_of(shapes)).encode()
    text = to_dot(graph_of(shapes), _title(shapes, name))
    if format == "dot":
        return text.encode()
    if engine == GRAPHVIZ or format not in ("svg", "png"):
        return run_dot(text, format)
    picture = net_picture(shapes, name)
    return to_svg(picture, _title(shapes, name)).encode() if format == "svg" else to_png(picture, scale)


def net_picture(shapes: NetShapes, name: str = "") -> Picture:
    """The picture by own layout. Raises NetError for a net without layers in this phase."""
    _check(shapes)
    return picture_of(graph_of(shapes), _title(shapes, name), NOTE)


def _check(shapes: NetShapes) -> None:
    if not shapes.layers:
        raise NetError(f"the net has no layers in phase {caffe_pb2.Phase.Name(shapes.phase)}: nothing to draw")


def _title(shapes: NetShapes, name: str) -> str:
    return f"{clean(name) or 'unnamed net'} ({caffe_pb2.Phase.Name(shapes.phase)})"
