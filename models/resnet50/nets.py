"""ResNet-50 as published, with the statistics of its training in BatchNorm: 1000 classes of ImageNet."""

from __future__ import annotations

from caffe_fcn_models.blocks import Nets, imagenet, resnet, write


def nets() -> Nets:
    """The files of this folder; only the net to deploy was published."""
    return {"deploy": imagenet.deploy("ResNet-50", resnet.resnet50, 224, batch=1)}


if __name__ == "__main__":
    write(__file__, nets())
