"""Show a net as a table: shapes, parameters, operations, memory, receptive fields; and the weights of a file."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from typing import Any

from ..formats.files import existing_file
from ..proto.upgrade import read_net
from ..prototxt.shapes import parse_sizes
from ..prototxt.summary import Summary, summarise
from ..prototxt.table import as_lines, as_markdown
from ..prototxt.weight_stats import BlobStats, weight_stats

PHASES = {"TRAIN": 0, "TEST": 1}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 1 if some layer is refused, 2 for a wrong file or option."""
    parser = argparse.ArgumentParser("caffe-fcn show", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("net", help="prototxt of the net")
    parser.add_argument("--size", action="append", default=[],
                        help="size of the input: HEIGHTxWIDTH, or BLOB=NxCxHxW (repeatable)")
    parser.add_argument("--phase", choices=PHASES, default="TEST", help="which layers (default %(default)s)")
    parser.add_argument("--stage", action="append", default=[], help="a stage that is on (repeatable)")
    parser.add_argument("--dialect", help="whose Caffe the net is for, where types mean several things (docs/forks.md)")
    parser.add_argument("--weights", metavar="FILE", help="add statistics of each blob of a weight file")
    parser.add_argument("--format", choices=["text", "markdown", "json"], default="text")
    args = parser.parse_args(argv)
    summary = summarise(read_net(existing_file(args.net)), PHASES[args.phase], parse_sizes(args.size), args.stage,
                        dialect=args.dialect)
    stats = weight_stats(args.weights) if args.weights else []
    print(_json(summary, stats) if args.format == "json" else _text(summary, stats, args.format == "markdown"))
    return int(any(row.problem and None in row.shapes and row.type != "Python" for row in summary.rows))


def _text(summary: Summary, stats: Sequence[BlobStats], markdown: bool) -> str:
    table = as_markdown if markdown else as_lines
    parts = [table(*summary.cells(), left=3)]
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


def _stat_cells(row: BlobStats) -> list[str]:
    count = math.prod(row.shape)
    numbers = [f"{value:.4g}" for value in (row.mean, row.std, row.smallest, row.largest)]
    return [f"{row.layer}[{row.number}]", row.type, "x".join(map(str, row.shape)), *numbers,
            f"{row.zeros / count:.1%}" if row.zeros else "", str(row.bad) if row.bad else ""]


def _json(summary: Summary, stats: Sequence[BlobStats]) -> str:
    values: dict[str, Any] = summary.as_dict()
    if stats:
        values["weights"] = [row._asdict() for row in stats]
    return json.dumps(values, indent=2)
