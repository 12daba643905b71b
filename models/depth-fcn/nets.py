"""FCN-16s for depth: the logarithm of the distance of every pixel of an indoor photo, learned from NYUDv2.

Of our own design, in the spirit of the tutorial on FCNs at CVPR 2015, which published no prototxt: a Euclidean loss in
which pixels without a depth have no part.
"""

from __future__ import annotations

from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn.pycaffe.net_spec import params as P
from caffe_fcn_models.blocks import Nets, fcn, vgg, write
from caffe_fcn_models.blocks.data import image
from caffe_fcn_models.blocks.families import nyud


def net(n: NetSpec, deploy: bool = False) -> Any:
    """From `data` to `score`, the natural logarithm of millimetres minus its mean over the data, 7.844."""
    features = vgg.features(n, n.data, deploy=deploy)
    scores = fcn.head(n, features, 1, n.data, skips=["pool4"], **fcn.bilinear(1))
    if not deploy:
        n.known_score = L.Eltwise(scores, n.mask, operation=P.Eltwise.PROD)
        n.known_depth = L.Eltwise(n.depth, n.mask, operation=P.Eltwise.PROD)
        n.loss = L.EuclideanLoss(n.known_score, n.known_depth)
    return n.to_proto()


def nets() -> Nets:
    """The files of this folder."""
    tops = {"data": "color", "depth": "depth", "mask": "mask"}
    return {"trainval": net(nyud("trainval", tops)), "test": net(nyud("test", tops)),
            "deploy": net(image(), deploy=True), "solver": fcn.solver("trainval", "test", 654, 1e-10)}


if __name__ == "__main__":
    write(__file__, nets())
