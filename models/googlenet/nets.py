"""GoogLeNet as BVLC published it: 1000 classes of ImageNet."""

from __future__ import annotations

from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn_models.blocks import Nets, imagenet, inception, write


def end(n: NetSpec, scores: Top) -> None:
    """The last loss and its accuracies."""
    inception.ends(n, scores, "loss3", 1, "loss3", "loss3")


def nets() -> Nets:
    """The files of this folder; quick_solver is the one that trained the published weights."""
    common = {"test_initialization": False, "display": 40, "average_loss": 40, "weight_decay": 0.0002,
              "snapshot": 40000, "test_interval": 4000}
    return {
        "train_val": imagenet.train_val("GoogleNet", inception.googlenet, end, (32, 50), 224, imagenet.MEAN_VALUES),
        "deploy": imagenet.deploy("GoogleNet", inception.googlenet, 224),
        "solver": imagenet.solver("googlenet", "bvlc_googlenet", lr_policy="step", stepsize=320000, gamma=0.96,
                                  max_iter=10000000, **common),
        "quick_solver": imagenet.solver("googlenet", "bvlc_googlenet_quick", lr_policy="poly", power=0.5,
                                        max_iter=2400000, **common),
    }


if __name__ == "__main__":
    write(__file__, nets())
