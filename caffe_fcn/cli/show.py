"""Show a net as a table: shapes, parameters, operations, memory, receptive fields; and the weights of a file."""

from __future__ import annotations

import argparse
import json
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..formats.files import existing_file
from ..proto.upgrade import read_net
from ..prototxt.shapes import parse_sizes
from ..prototxt.summary import Summary, summarise
from ..prototxt.table import as_lines, as_markdown
from ..prototxt.weight_stats import BlobStats, weight_stats
from ..zoo.card import Card
from ..zoo.cards import CARD, find, names
from ..zoo.describe import as_dict, facts_of, papers_of, scores_of, weights_state

PHASES = {"TRAIN": 0, "TEST": 1}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 1 if some layer is refused, 2 for a wrong file or option."""
    parser = argparse.ArgumentParser("caffe-fcn show", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("net", help="prototxt of the net, or the name of one that `caffe-fcn models` lists")
    parser.add_argument("--size", action="append", default=[],
                        help="size of the input: HEIGHTxWIDTH, or BLOB=NxCxHxW (repeatable)")
    parser.add_argument("--phase", choices=PHASES, default="TEST", help="which layers (default %(default)s)")
    parser.add_argument("--stage", action="append", default=[], help="a stage that is on (repeatable)")
    parser.add_argument("--dialect", help="whose Caffe the net is for, where types mean several things (docs/forks.md)")
    parser.add_argument("--weights", metavar="FILE", help="add statistics of each blob of a weight file")
    parser.add_argument("--format", choices=["text", "markdown", "json"], default="text")
    args = parser.parse_args(argv)
    card = _card(args.net)
    summary = summarise(read_net(existing_file(card.net_file if card else args.net)), PHASES[args.phase],
                        parse_sizes(args.size), args.stage, dialect=args.dialect)
    stats = weight_stats(args.weights) if args.weights else []
    if args.format == "json":
        print(_json(card, summary, stats))
    else:
        print(_text(card, summary, stats, args.format == "markdown"))
    return int(any(row.problem and None in row.shapes and row.type != "Python" for row in summary.rows))


def _card(net: str) -> Card | None:
    """The card of a net that is given by its name or its folder; None for the path of a prototxt, which wins."""
    path = Path(net)
    is_name = net in names() or (path / CARD).is_file() or (not path.exists() and path.name == net and not path.suffix)
    return find(net) if is_name and not path.is_file() else None


def _text(card: Card | None, summary: Summary, stats: Sequence[BlobStats], markdown: bool) -> str:
    table = as_markdown if markdown else as_lines
    parts = [_facts(card, markdown)] if card else []
    parts.append(table(*summary.cells(), left=3))
    parts.append(f"A forward pass needs {summary.forward_bytes / 2**20:,.0f} MiB, a training step "
                 f"{summary.training_bytes / 2**20:,.0f} MiB (blobs and parameters), and "
                 f"{summary.total.flops / 1e9:,.2f} GFLOP forward.")
    problems = [f"{row.name}: {row.problem}" for row in summary.rows if row.problem]
    if problems:
        parts.append("\n".join([f"Not known or refused:{chr(10) if markdown else ''}", *(f"- {p}" for p in problems)]))
    if stats:
        header = ["blob", "type", "shape", "mean", "std", "min", "max", "zeros", "not finite"]
        parts.append(table(header, [_stat_cells(row) for row in stats], left=3))
    return "\n\n".join(parts)


def _facts(card: Card, markdown: bool) -> str:
    """What the card says."""
    pairs = [*facts_of(card), *((f"score, {what}", text) for what, text in scores_of(card)),
             ("weights are", str(card.weights_file or weights_state(card))), ("net", str(card.net_file))]
    pairs += [("to cite", paper) for paper in papers_of(card)]
    if markdown:
        return as_markdown([card.name, ""], pairs, left=2)
    width = max(len(heading) for heading, _ in pairs)
    lines = [textwrap.fill(text, 120, initial_indent=f"{heading:<{width}}  ", subsequent_indent=" " * (width + 2),
                           break_long_words=False, break_on_hyphens=False) for heading, text in pairs]
    return "\n".join([card.name, "", *lines])


def _stat_cells(row: BlobStats) -> list[str]:
    count = math.prod(row.shape)
    numbers = [f"{value:.4g}" for value in (row.mean, row.std, row.smallest, row.largest)]
    return [f"{row.layer}[{row.number}]", row.type, "x".join(map(str, row.shape)), *numbers,
            f"{row.zeros / count:.1%}" if row.zeros else "", str(row.bad) if row.bad else ""]


def _json(card: Card | None, summary: Summary, stats: Sequence[BlobStats]) -> str:
    values: dict[str, Any] = summary.as_dict()
    if card:
        values["card"] = as_dict(card)
    if stats:
        values["weights"] = [row._asdict() for row in stats]
    return json.dumps(values, indent=2)
