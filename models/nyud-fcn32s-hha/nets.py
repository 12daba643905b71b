"""FCN-32s on NYUDv2's HHA: horizontal disparity, height, angle."""

from __future__ import annotations

from caffe_fcn_models.blocks import Nets, write
from caffe_fcn_models.blocks.data import image
from caffe_fcn_models.blocks.families import nyud_nets


def nets() -> Nets:
    """The files of this folder."""
    return nyud_nets({"data": "hha"}, image())


if __name__ == "__main__":
    write(__file__, nets())
