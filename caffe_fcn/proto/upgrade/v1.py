"""V1 nets: `layers { type: CONVOLUTION blobs_lr: 1 }`, types as an enum and one list per property of a param."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffe_fcn.proto import forks
from caffe_fcn.proto.upgrade.messages import set_field

if TYPE_CHECKING:
    from caffe_fcn.proto.caffe_pb2 import LayerParameter, NetParameter, V1LayerParameter

# The name of a V1 type in the enum, and as a layer has it now.
TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
}

# The k-th value of each of these lists belongs to the k-th param; all other fields keep their name.
PARAM_LISTS = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}


def needed(net: NetParameter) -> bool:
    """Tell whether the net has any old `layers`."""
    return len(net.layers) > 0


def apply(net: NetParameter) -> list[str]:
    """Turn the V1 layers into current ones, in place; always complete, so there are no problems to give."""
    for old in net.layers:
        _convert(old, net.layer.add())
    net.ClearField("layers")
    return []


def _convert(old: V1LayerParameter, new: LayerParameter) -> None:
    for field, value in old.ListFields():
        if field.name == "type":
            new.type = TYPES[old.LayerType.Name(value)]
        elif field.name in PARAM_LISTS:
            for k, entry in enumerate(value):
                if k == len(new.param):
                    new.param.add()
                set_field(new.param[k], PARAM_LISTS[field.name], entry)
        else:
            set_field(new, field.name, value)
    forks.upgrade_v1(old, new)
