"""FCN-8s on PASCAL VOC trained at once from VGG-16, its skips scaled down."""

from __future__ import annotations

from caffe_fcn_models.blocks import Nets, write
from caffe_fcn_models.blocks.families import voc_nets


def nets() -> Nets:
    """The files of this folder."""
    return voc_nets(skips=["pool4", "pool3"], scales={"pool4": 0.01, "pool3": 0.0001}, base_lr=1e-10, max_iter=300000)


if __name__ == "__main__":
    write(__file__, nets())
