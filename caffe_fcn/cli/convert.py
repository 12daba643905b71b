"""Convert a net to ONNX or PyTorch, weights to .npz, .safetensors or HDF5, and back.

`caffe-fcn convert NET.prototxt WEIGHTS OUT` (.onnx, .py, .npz, .safetensors, .h5, .caffemodel);
`caffe-fcn convert MODEL.onnx OUT.prototxt OUT.caffemodel`. docs/convert.md tells more.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

KINDS = ("onnx", "torch", "npz", "safetensors", "hdf5", "caffemodel")


def input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """An argument NAME=1x3x224x224. argparse.ArgumentTypeError for anything else."""
    name, equals, sizes = text.rpartition("=")
    parts = sizes.split("x")
    if not (name and equals and all(part.isdecimal() and 0 < int(part) < 2**31 for part in parts)):
        raise argparse.ArgumentTypeError(f"wanted NAME=1x3x224x224, got {text!r}")
    return name, tuple(map(int, parts))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status. Raises the errors of `caffe_fcn.convert`."""
    parser = argparse.ArgumentParser(prog="caffe-fcn convert", description=__doc__.partition("\n")[0])
    parser.add_argument("source", help="the prototxt of a deploy net, or an ONNX model (ending in .onnx)")
    parser.add_argument("second", help="its weights in any format; for ONNX: the prototxt to write")
    parser.add_argument("out", help="the file to write; its ending says the format (PyTorch: .py, with the "
                        "weights beside it in .safetensors)")
    parser.add_argument("--to", choices=KINDS, help="the format, whatever the ending")
    parser.add_argument("--names", help="JSON: from layer/index to the names of arrays (docs/convert.md)")
    parser.add_argument("--input-shape", type=input_shape, action="append", default=[], metavar="NAME=1x3x224x224",
                        help="shape of an input, instead of the file's")
    parser.add_argument("--tolerance", type=float, default=1e-4,
                        help="largest accepted difference, relative to each blob's largest value (default: 1e-4)")
    parser.add_argument("--no-check", dest="check", action="store_false", help="write without running the result")
    options = parser.parse_args(argv)
    from caffe_fcn.convert import convert, convert_from_onnx

    shapes = dict(options.input_shape)
    if Path(options.source).suffix.lower() == ".onnx":
        if options.to or options.names:
            parser.error("--to and --names are for prototxts; an ONNX model becomes a prototxt and a caffemodel")
        reports = convert_from_onnx(options.source, options.second, options.out, shapes, options.check,
                                    options.tolerance)
    else:
        reports = convert(options.source, options.second, options.out, options.to, options.names, shapes,
                          options.check, options.tolerance)
    for report in reports:
        print(report)
    if reports:
        worst = max((report.worst for report in reports), key=lambda difference: difference.relative)
        print(f"{options.out}: the largest relative difference is {worst.relative:.1e}, of '{worst.blob}'")
    return 0
