"""Write prototxts in one style, with their comments.

Exit status: 0 done, or nothing to do; 1 --check found files to format; 2 a file or an option is wrong.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence

from ..formats.atomic import atomic_write
from ..proto import caffe_pb2
from ..prototxt.document import read_text
from ..prototxt.format import format_text
from ..prototxt.lint.run import is_solver


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser("caffe-fcn fmt", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="+", metavar="FILE", help="a net or a solver; - reads and writes a stream")
    parser.add_argument("--check", action="store_true", help="write nothing; name the files that would change")
    parser.add_argument("--diff", action="store_true", help="write nothing; show what would change")
    args = parser.parse_args(argv)
    changed = [file for file in args.files if _format(file, args.check, args.diff)]
    if args.check:
        for file in changed:
            print(f"would format {file}")
    return int(args.check and bool(changed))


def _format(file: str, check: bool, diff: bool) -> bool:
    """Format one file; returns whether its text changes."""
    if file == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    else:
        text = read_text(file)
    kind = caffe_pb2.SolverParameter if is_solver(text) else caffe_pb2.NetParameter
    new = format_text(text, kind, file)
    if diff:
        lines = difflib.unified_diff(text.splitlines(), new.splitlines(), file, f"{file} (formatted)", lineterm="")
        print("\n".join(lines))
    elif not check and file == "-":
        sys.stdout.buffer.write(new.encode("utf-8", "surrogateescape"))
        sys.stdout.flush()
    elif not check and new != text:
        with atomic_write(file) as target:
            target.write(new.encode("utf-8", "surrogateescape"))
    return new != text
