"""Draw a net on one page: stages as boxes, shapes beside the lines, skips past the boxes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ..formats.atomic import atomic_write
from ..proto.upgrade import read_net
from ..prototxt.draw import ENGINES, OWN, draw
from ..prototxt.shapes import parse_sizes

PHASES = {"TRAIN": 0, "TEST": 1}
ENDINGS = {"mermaid": "mmd", "gv": "dot"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser("caffe-fcn draw", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("net", help="prototxt of the net")
    parser.add_argument("output", help="file to write, - for the standard output; its ending names the format: .svg, "
                                       ".png, .mmd (Mermaid), .dot; others (.pdf, .ps ...) need Graphviz")
    parser.add_argument("--format", help="the format, where the ending does not tell")
    add_net_options(parser)
    parser.add_argument("--engine", choices=ENGINES, default=OWN, help="who finds the places (default %(default)s)")
    parser.add_argument("--scale", type=scale, default=2.0, help="size of a PNG (default %(default)g)")
    args = parser.parse_args(argv)
    format = args.format or Path(args.output).suffix[1:].lower()
    if not format:
        parser.error("give --format: svg, png, mmd or dot" if args.output == "-" else
                     f"'{args.output}' has no ending that names the format, such as .svg; or give --format")
    data = draw(read_net(args.net), ENDINGS.get(format, format), PHASES[args.phase], parse_sizes(args.size), args.stage,
                args.engine, args.scale, args.dialect)
    if args.output == "-":
        sys.stdout.buffer.write(data)
        return 0
    with atomic_write(args.output) as file:
        file.write(data)
    return 0


def add_net_options(parser: argparse.ArgumentParser) -> None:
    """Options that say which layers are meant, for which size of images."""
    parser.add_argument("--size", action="append", default=[],
                        help="size of the input: HEIGHTxWIDTH, or BLOB=NxCxHxW (repeatable)")
    parser.add_argument("--phase", choices=PHASES, default="TEST", help="which layers (default %(default)s)")
    parser.add_argument("--stage", action="append", default=[], help="a stage that is on (repeatable)")
    parser.add_argument("--dialect", help="whose Caffe the net is for, where types mean several things (docs/forks.md)")


def scale(word: str) -> float:
    """A factor from 0.1 to 10."""
    value = float(word)
    if not 0.1 <= value <= 10:
        raise argparse.ArgumentTypeError(f"{word} is not between 0.1 and 10")
    return value
