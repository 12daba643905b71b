"""FCN-16s on PASCAL-Context: the scores of pool4 added."""

from __future__ import annotations

from caffe_fcn_models.blocks import Nets, write
from caffe_fcn_models.blocks.families import context_nets


def nets() -> Nets:
    """The files of this folder."""
    return context_nets(skips=["pool4"])


if __name__ == "__main__":
    write(__file__, nets())
