"""score windows of images"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence

import numpy as np

from caffe_fcn.cli.model_options import model_parser, preparation
from caffe_fcn.errors import FormatError, NotSupportedError
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.formats.files import existing_file

COLUMNS = ("ymin", "xmin", "ymax", "xmax")
Windows = list[tuple[str, list[list[int]]]]


def main(argv: Sequence[str] | None = None) -> int:
    """Write a line with filename, window and the score of each class for every window to OUTPUT_FILE (.csv)."""
    parser = model_parser("detect", __doc__ or "")
    parser.add_argument("--crop_mode", default="selective_search", choices=("list", "selective_search"),
                        help="list: INPUT_FILE is a .csv of windows; selective_search: it is a list of images")
    parser.add_argument("--context_pad", type=int, default=16, help="pixels of the input around the window (16)")
    options = parser.parse_args(argv)
    if not options.output_file.lower().endswith("csv"):
        raise NotSupportedError(f"{options.output_file}: only .csv is written")
    from caffe_fcn.pycaffe.detector import Detector

    prepared = preparation(options)
    if np.ndim(prepared["mean"]) == 3:  # windows have no place of their own in a mean image
        prepared["mean"] = prepared["mean"].mean(axis=(1, 2))
    net = Detector(options.model_def, options.pretrained_model, context_pad=options.context_pad, **prepared)
    if options.crop_mode == "list":
        found = net.detect_windows(read_windows(options.input_file))
    else:
        with open(existing_file(options.input_file), encoding="utf-8") as file:
            found = net.detect_selective_search(file.read().split())
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    scores = [np.ravel(entry["prediction"]).tolist() for entry in found]
    table.writerow(["filename", *COLUMNS, *(f"class{i}" for i in range(len(scores[0])))])
    for entry, row in zip(found, scores, strict=True):
        table.writerow([entry["filename"], *map(int, entry["window"]), *row])
    with atomic_write(options.output_file) as out:
        out.write(text.getvalue().encode())
    print(f"Scored {len(found)} windows.", file=sys.stderr)
    return 0


def read_windows(path: str) -> Windows:
    """Windows by image from a .csv with the columns filename, ymin, xmin, ymax, xmax.

    Raises FormatError, naming the line, where something is missing.
    """
    windows: Windows = []
    with open(existing_file(path), encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        missing = {"filename", *COLUMNS} - set(rows.fieldnames or ())
        if missing:
            raise FormatError(f"{path}:1: columns are missing: {', '.join(sorted(missing))}")
        for row in rows:
            try:
                window = [int(float(row[column])) for column in COLUMNS]
            except (TypeError, ValueError):
                raise FormatError(f"{path}:{rows.line_num}: a window is four numbers ({', '.join(COLUMNS)})"
                                  ) from None
            if not windows or windows[-1][0] != row["filename"]:
                windows.append((row["filename"], []))
            windows[-1][1].append(window)
    return windows
