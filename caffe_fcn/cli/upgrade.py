"""Make an old net or solver current, and keep its comments where the format allows.

Exit status: 0 current now, or before; 1 written, but something of the old file was left out; 2 nothing written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..formats.atomic import atomic_write
from ..prototxt.document import read_text
from ..prototxt.lint.run import is_solver
from ..prototxt.modernise import modernise_net, modernise_solver


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser("caffe-fcn upgrade", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", help="prototxt of a net or a solver; it is written in place")
    parser.add_argument("-o", "--output", metavar="FILE", help="write here instead; - for the terminal")
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if the file is old")
    args = parser.parse_args(argv)
    text = read_text(args.file)
    result = (modernise_solver if is_solver(text) else modernise_net)(text, args.file)
    for line in result.steps or [f"{args.file} is current already"]:
        print(line, file=sys.stderr)
    if args.check:
        return int(bool(result.steps))
    if args.output == "-":
        sys.stdout.write(result.text)
    elif args.output or result.steps:
        with atomic_write(args.output or args.file) as target:
            target.write(result.text.encode("utf-8", "surrogateescape"))
    for problem in result.problems:
        print(f"caffe-fcn upgrade: {args.file}: {problem}", file=sys.stderr)
    return int(bool(result.problems))
