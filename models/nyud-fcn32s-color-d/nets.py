"""FCN-32s on NYUDv2's colour and depth, stacked before the first convolution: early fusion."""

from __future__ import annotations

from caffe_fcn.pycaffe.net_spec import NetSpec
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn_models.blocks import Nets, fcn, vgg, write
from caffe_fcn_models.blocks.data import inputs
from caffe_fcn_models.blocks.families import NYUD_CLASSES, nyud_nets


def body(n: NetSpec, deploy: bool) -> None:
    """From `color` and `depth` to `score`."""
    n.data = L.Concat(n.color, n.depth)
    # of another name than VGG-16's, whose kernels have three channels
    features = vgg.features(n, n.data, first="conv1_1_bgrd", deploy=deploy)
    fcn.softmax_loss(n, fcn.head(n, features, NYUD_CLASSES, n.data), "label")


def nets() -> Nets:
    """The files of this folder."""
    photo = inputs({"color": (1, 3, 500, 500), "depth": (1, 1, 500, 500)})
    return nyud_nets({"color": "color", "depth": "depth"}, photo, body)


if __name__ == "__main__":
    write(__file__, nets())
