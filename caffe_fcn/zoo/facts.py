"""The facts of a card that follow from its net: parameters, operations, receptive field."""

from __future__ import annotations

from typing import NamedTuple

from ..formats.files import existing_file
from ..proto.upgrade import read_net
from ..prototxt.shapes import parse_sizes
from ..prototxt.summary import Row, summarise
from .card import Card, Field

# What lies between the scores that a net learns and its output.
AFTER_SCORES = frozenset(("Crop", "Deconvolution", "Sigmoid", "Softmax"))


class Facts(NamedTuple):
    """As the keys of a card; `receptive_field` is None where no map of scores comes out."""

    parameters: int
    gflops_500: float
    receptive_field: Field | None


def facts(card: Card) -> Facts:
    """What the deploy net of a card says, for one image of 500 x 500 pixels or the net's own size; to two decimals."""
    sizes = parse_sizes(["500x500"]) if "height" in card.input.shape else None
    summary = summarise(read_net(existing_file(card.net_file)), sizes=sizes)
    images = next((row.shapes[0][0] for row in summary.rows if card.input.blob in row.tops and row.shapes[0]), 1)
    gflops = round(summary.total.flops / images / 1e9, 2)
    return Facts(summary.total.params, gflops, _field(summary.rows, card.output.blob))


def _field(rows: tuple[Row, ...], blob: str) -> Field | None:
    """The field of the coarsest layer, and the stride of the scores that `blob` is made from."""
    score = _maker(rows, blob)
    while score and score.type in AFTER_SCORES:
        score = _maker(rows[: rows.index(score)], score.bottoms[0])
    if score is None or score.scale is None:
        return None
    placed = [row for row in rows if row.scale and row.field]
    coarsest = max(row.scale[0] for row in placed if row.scale)
    pixels = max(row.field[0] for row in placed if row.field and row.scale and row.scale[0] == coarsest)
    return Field(pixels, round(score.scale[0]))


def _maker(rows: tuple[Row, ...], blob: str) -> Row | None:
    """The last layer that writes a blob."""
    return next((row for row in reversed(rows) if blob in row.tops), None)
