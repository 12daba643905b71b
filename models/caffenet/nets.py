"""CaffeNet, the reference net of Caffe: 1000 classes of ImageNet."""

from __future__ import annotations

from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn_models.blocks import Nets, alexnet, imagenet, write
from caffe_fcn_models.blocks.layers import fillers, rates

# at the start
BIASES = {"conv1": 0, "conv2": 0.4, "conv3": 0, "conv4": 1, "conv5": 0.4,
          "fc6": 0.4, "fc7": 0.4, "fc8": 0.1}


def options(name: str) -> dict[str, Any]:
    """Learning rates and fillers for training."""
    std = 0.005 if name in ("fc6", "fc7") else 0.01
    return {"param": rates(), **fillers("gaussian", BIASES[name], std=std)}


def body(n: NetSpec, deploy: bool) -> Top:
    """From `data` to the scores fc8."""
    chosen = alexnet.plain if deploy else options
    return alexnet.classifier(n, alexnet.trunk(n, n.data, chosen), chosen)


def nets() -> Nets:
    """The files of this folder."""
    train_val = imagenet.train_val("CaffeNet", body, imagenet.accuracy_and_loss, (256, 50), 227, imagenet.MEAN_FILE)
    return {"train_val": train_val, "deploy": imagenet.deploy("CaffeNet", body, 227),
            "solver": imagenet.step_solver("caffenet", "caffenet_train")}


if __name__ == "__main__":
    write(__file__, nets())
