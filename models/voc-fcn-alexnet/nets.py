"""FCN-AlexNet on PASCAL VOC: CaffeNet's trunk, scores at every 32nd pixel; trained with a normalized loss."""

from __future__ import annotations

from typing import Any

from caffe_fcn.pycaffe.net_spec import NetSpec
from caffe_fcn_models.blocks import Nets, alexnet, fcn, write
from caffe_fcn_models.blocks.data import image
from caffe_fcn_models.blocks.families import VOC_CLASSES, sbd_train, voc_val
from caffe_fcn_models.blocks.layers import conv_relu, dropout


def options(name: str) -> dict[str, Any]:
    """What the published net says of each convolution."""
    group, stride = alexnet.CONVOLUTIONS[name].get("group", 1), alexnet.CONVOLUTIONS[name].get("stride", 1)
    pad = 100 if name == "conv1" else alexnet.CONVOLUTIONS[name]["pad"]
    return {"pad": pad, "group": group, "stride": stride}


def net(n: NetSpec, deploy: bool = False) -> Any:
    """From `data` to `score`, and the loss."""
    top = alexnet.trunk(n, n.data, options)
    for number, kernel in ((6, 6), (7, 1)):
        top = conv_relu(n, top, f"fc{number}", 4096, kernel_size=kernel, pad=0, group=1, stride=1)
        if not deploy:
            top = dropout(n, top, f"drop{number}")
    scores = fcn.head(n, top, VOC_CLASSES, n.data, kernel=63)
    fcn.softmax_loss(n, scores, "label", normalize=True)
    return n.to_proto()


def nets() -> Nets:
    """The files of this folder."""
    return {"train": net(sbd_train()), "val": net(voc_val()), "deploy": net(image(), deploy=True),
            "solver": fcn.solver("train", "val", 736, 1e-4, momentum=0.9, iter_size=20)}


if __name__ == "__main__":
    write(__file__, nets())
