"""FCN-8s on SIFT Flow: the scores of pool4 and pool3 added, for semantic and geometric classes."""

from __future__ import annotations

from caffe_fcn_models.blocks import Nets, write
from caffe_fcn_models.blocks.families import siftflow_nets


def nets() -> Nets:
    """The files of this folder."""
    return siftflow_nets(skips=["pool4", "pool3"])


if __name__ == "__main__":
    write(__file__, nets())
