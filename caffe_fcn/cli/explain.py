"""Explain a net on one HTML page: picture, crop offsets, padding, loss scale, findings, table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..formats.atomic import atomic_write
from ..prototxt.explain import explain
from ..prototxt.shapes import parse_sizes
from .draw import PHASES, add_net_options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser("caffe-fcn explain", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("net", help="prototxt of the net")
    parser.add_argument("output", help="HTML file to write, - for the standard output")
    add_net_options(parser)
    args = parser.parse_args(argv)
    data = explain(args.net, PHASES[args.phase], parse_sizes(args.size), args.stage, args.dialect).encode()
    if args.output == "-":
        sys.stdout.buffer.write(data)
        return 0
    with atomic_write(args.output) as file:
        file.write(data)
    return 0
