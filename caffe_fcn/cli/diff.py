"""Compare two nets by what they mean, or two weight files blob by blob.

Exit status: 0 they are the same, 1 they differ, 2 a file or an option is wrong.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from ..formats.files import existing_file
from ..proto.upgrade import read_net
from ..prototxt.diff import diff_nets
from ..prototxt.table import as_lines
from ..prototxt.weight_stats import BlobDifference, compare_weights

WEIGHT_SUFFIXES = (".caffemodel", ".h5", ".hdf5")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser("caffe-fcn diff", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("first", help="a prototxt, or a weight file (.caffemodel, .h5)")
    parser.add_argument("second", help="another one of the same kind")
    parser.add_argument("--weights", action="store_true", help="take the files for weight files, whatever their names")
    parser.add_argument("--tolerance", type=float, default=0.0,
                        help="of two weight files: relative difference of a blob that counts as equal")
    parser.add_argument("--all", action="store_true", help="of two weight files: list equal blobs as well")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    args = parser.parse_args(argv)
    are_weights = [args.weights or name.lower().endswith(WEIGHT_SUFFIXES) for name in (args.first, args.second)]
    if are_weights[0] != are_weights[1]:
        parser.error("one file is a net, the other a weight file; --weights if both are weight files")
    if are_weights[0]:
        return _diff_weights(args)
    changes = diff_nets(read_net(existing_file(args.first)), read_net(existing_file(args.second)))
    if args.format == "json":
        print(json.dumps([change._asdict() for change in changes], indent=2))
    else:
        print("\n".join(map(str, changes)) or "the nets mean the same")
    return int(bool(changes))


def _diff_weights(args: argparse.Namespace) -> int:
    found = compare_weights(args.first, args.second)
    differ = [row for row in found if not row.same and not row.relative <= args.tolerance]
    shown = found if args.all else differ
    if args.format == "json":
        rows = [{**row._asdict(), "shape": list(row.shape)} for row in shown]
        print(json.dumps([{key: None if value != value else value for key, value in row.items()} for row in rows],
                         indent=2))
    else:
        if shown:
            print(as_lines(["blob", "shape", "max", "relative", "cosine", ""], [_cells(row) for row in shown], left=2))
        print(f"{len(differ)} of {len(found)} blobs differ" if differ else f"all {len(found)} blobs are equal")
    return int(bool(differ))


def _cells(row: BlobDifference) -> list[str]:
    numbers = ["", "", ""] if row.problem else [f"{row.largest:.3g}", f"{row.relative:.3g}", f"{row.cosine:.6f}"]
    return [f"{row.layer}[{row.number}]", "x".join(map(str, row.shape)), *numbers, row.problem]
