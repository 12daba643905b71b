"""FCN-32s on SIFT Flow: semantic and geometric scores at every 32nd pixel, upsampled."""

from __future__ import annotations

from caffe_fcn_models.blocks import Nets, write
from caffe_fcn_models.blocks.families import siftflow_nets


def nets() -> Nets:
    """The files of this folder."""
    return siftflow_nets()


if __name__ == "__main__":
    write(__file__, nets())
