"""FCN-32s for poses: a heat map for each of the 14 joints of Leeds Sports Poses.

Of our own design, in the spirit of the tutorial on FCNs at CVPR 2015, which published no prototxt: a pixel belongs to
every joint whose disc covers it, so each map has its own sigmoid.
"""

from __future__ import annotations

from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn.pycaffe.net_spec import params as P
from caffe_fcn_models.blocks import Nets, fcn, vgg, write
from caffe_fcn_models.blocks.data import VOC_MEAN, image, python

JOINTS = 14


def lsp(split: str) -> NetSpec:
    """Photos, and the discs of radius 0.1 x height around the joints."""
    return python("caffe_fcn.datasets.lsp", "LSPPoseDataLayer", ("data", "maps"), lsp_dir="../data/lsp", split=split,
                  tops=["data", "maps"], radius=0.1, mean=VOC_MEAN)


def net(n: NetSpec, deploy: bool = False) -> Any:
    """From `data` to `score`, and its loss or the heat maps as probabilities."""
    features = vgg.features(n, n.data, deploy=deploy)
    scores = fcn.head(n, features, JOINTS, n.data, **fcn.bilinear(JOINTS))
    if deploy:
        n.heat = L.Sigmoid(scores)
    else:
        n.loss = L.SigmoidCrossEntropyLoss(scores, n.maps, loss_param={"normalization": P.Loss.BATCH_SIZE})
    return n.to_proto()


def nets() -> Nets:
    """The files of this folder."""
    return {"train": net(lsp("train")), "test": net(lsp("test")), "deploy": net(image(), deploy=True),
            "solver": fcn.solver("train", "test", 1000, 1e-10)}


if __name__ == "__main__":
    write(__file__, nets())
