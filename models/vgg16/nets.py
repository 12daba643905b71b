"""VGG-16, net D of the paper: 1000 classes of ImageNet.

Only the net to deploy was published. Training is that of the paper's section 3.1: 370000 iterations of 256 images,
three drops of the rate to a tenth, here at equal distances.
"""

from __future__ import annotations

from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn_models.blocks import Nets, alexnet, imagenet, vgg, write
from caffe_fcn_models.blocks.layers import fillers, rates

NAME = "VGG_ILSVRC_16_layers"
MEAN = {"mean_value": [103.939, 116.779, 123.68]}
ITERATIONS = 370000


def options(name: object) -> dict[str, Any]:
    """Learning rates and fillers for training, of any layer."""
    return {"param": rates(), **fillers("gaussian", 0, std=0.01)}


def body(n: NetSpec, deploy: bool) -> Top:
    """From `data` to the scores fc8."""
    chosen = alexnet.plain if deploy else options
    return alexnet.classifier(n, vgg.trunk(n, n.data, 1, chosen), chosen)


def end(n: NetSpec, scores: Top) -> None:
    """Accuracies of one and five guesses in tests, and the loss."""
    n.accuracy_at_1 = L.Accuracy(scores, n.label, top_k=1, **imagenet.TEST)
    n.accuracy_at_5 = L.Accuracy(scores, n.label, top_k=5, **imagenet.TEST)
    n.loss = L.SoftmaxWithLoss(scores, n.label)


def nets() -> Nets:
    """The files of this folder."""
    solver = imagenet.solver("vgg16", "vgg16", lr_policy="step", gamma=0.1, stepsize=ITERATIONS // 4,
                             max_iter=ITERATIONS, display=20, weight_decay=0.0005, snapshot=10000, iter_size=4)
    return {"train_val": imagenet.train_val(NAME, body, end, (64, 50), 224, MEAN),
            "deploy": imagenet.deploy(NAME, body, 224), "solver": solver}


if __name__ == "__main__":
    write(__file__, nets())
