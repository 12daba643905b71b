"""FCN-32s on PASCAL-Context: scores at every 32nd pixel, upsampled."""

from __future__ import annotations

from caffe_fcn_models.blocks import Nets, write
from caffe_fcn_models.blocks.families import context_nets


def nets() -> Nets:
    """The files of this folder."""
    return context_nets()


if __name__ == "__main__":
    write(__file__, nets())
