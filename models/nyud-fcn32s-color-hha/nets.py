"""FCN-32s on NYUDv2's colour and HHA, a trunk for each, the mean of their scores: late fusion."""

from __future__ import annotations

from caffe_fcn.pycaffe.coord_map import crop
from caffe_fcn.pycaffe.net_spec import NetSpec
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn.pycaffe.net_spec import params as P
from caffe_fcn_models.blocks import Nets, fcn, vgg, write
from caffe_fcn_models.blocks.data import inputs
from caffe_fcn_models.blocks.families import NYUD_CLASSES, nyud_nets


def body(n: NetSpec, deploy: bool) -> None:
    """From `color` and `hha` to `score`."""
    for kind in ("color", "hha"):
        features = vgg.features(n, n[kind], suffix=kind, deploy=deploy)
        n[f"score_fr{kind}"] = fcn.score(features, NYUD_CLASSES)
    n.score_fused = L.Eltwise(n.score_frcolor, n.score_frhha, operation=P.Eltwise.SUM, coeff=[0.5, 0.5])
    n.upscore = fcn.upsample(n.score_fused, NYUD_CLASSES, 32)
    n.score = crop(n.upscore, n.color)
    fcn.softmax_loss(n, n.score, "label")


def nets() -> Nets:
    """The files of this folder."""
    photo = inputs({"color": (1, 3, 500, 500), "hha": (1, 3, 500, 500)})
    return nyud_nets({"color": "color", "hha": "hha"}, photo, body, base_lr=1e-12)


if __name__ == "__main__":
    write(__file__, nets())
