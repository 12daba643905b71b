"""A net explained on one page: picture, table, crop offsets, padding, loss, findings.

>>> from caffe_fcn.prototxt.explain import explain
>>> page = explain("train_val.prototxt")        # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ...coord_map import CoordMaps
from ...proto.upgrade import read_net
from ..draw import net_picture, to_svg
from ..lint import Options, lint_file
from ..shapes import Sizes, text_of, without_rules
from ..summary import summarise
from . import sections
from .crops import CropOffset, crop_offsets
from .html import page
from .losses import Loss, losses, other_losses
from .padding import Padding, Sides, State, paddings, square_sides

__all__ = ["CropOffset", "Loss", "Padding", "Sides", "State", "crop_offsets", "explain", "losses", "paddings",
           "square_sides"]


def explain(
    path: str | os.PathLike[str], phase: int = 1, sizes: Sizes | None = None, stages: Iterable[str] = (),
    dialect: str | None = None,
) -> str:
    """The page about the net of a prototxt, as HTML that needs no other file. `dialect`: as for Net.

    Raises MissingFileError, PrototxtError, and NetError for a net without layers in this phase.
    """
    net, state, sizes = read_net(os.fspath(path)), State(phase, tuple(stages), dialect), sizes or Sizes()
    shapes = state.shapes(net, sizes)
    title = text_of(net.name) or os.path.basename(os.fspath(path))
    crops = crop_offsets(shapes, CoordMaps(without_rules(row.param for row in shapes.layers), phase))
    summary = summarise(net, phase, sizes, state.stages, dialect=dialect)
    return page(title, [
        sections.overview(summary, shapes),
        sections.picture(to_svg(net_picture(shapes, title), title)),
        sections.crops(crops),
        sections.padding(paddings(net, shapes, state), crops, square_sides(net, state)),
        sections.loss(losses(shapes), other_losses(shapes)),
        sections.findings(lint_file(path, Options(sizes=sizes, stages=state.stages, dialect=dialect))),
        sections.table(summary),
    ])
