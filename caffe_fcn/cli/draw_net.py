"""draw a net as a graph"""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Write the graph of a prototxt; .dot needs nothing else, pictures need Graphviz."""
    parser = argparse.ArgumentParser(prog="caffe-fcn draw-net", description=__doc__)
    parser.add_argument("input_net_proto_file", help="prototxt of the net")
    parser.add_argument("output_image_file", help="what to write: .dot, .png, .svg, .pdf ...")
    parser.add_argument("--rankdir", default="LR", choices=("TB", "BT", "LR", "RL"), help="direction (LR)")
    parser.add_argument("--phase", default="ALL", choices=("TRAIN", "TEST", "ALL"), help="which layers (ALL)")
    parser.add_argument("--display_lrm", action="store_true", help="show the learning rate multipliers")
    options = parser.parse_args(argv)
    from caffe_fcn.proto.upgrade import read_net
    from caffe_fcn.pycaffe.draw import draw_net_to_file

    phase = {"TRAIN": 0, "TEST": 1, "ALL": None}[options.phase]
    draw_net_to_file(read_net(options.input_net_proto_file), options.output_image_file, options.rankdir, phase,
                     options.display_lrm)
    print(f"Drawing net to {options.output_image_file}")
    return 0
