"""Nets that classify the photos of ILSVRC 2012: their data, their ends, their solvers, as the published ones have them.

The folders of the data are those of Caffe's ImageNet example, from the folder in which the solver starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from caffe_fcn.proto import caffe_pb2
from caffe_fcn.pycaffe.net_spec import NetSpec, Top
from caffe_fcn.pycaffe.net_spec import layers as L

from .data import image

CLASSES = 1000
TEST = {"include": {"phase": caffe_pb2.TEST}}
MEAN_FILE = {"mean_file": "data/ilsvrc12/imagenet_mean.binaryproto"}
MEAN_VALUES = {"mean_value": [104, 117, 123]}
Body = Callable[[NetSpec, bool], Top]  # adds the net from `data` to scores; whether it is the one to deploy


def _data(phase: str, batch: int, crop: int, mean: Mapping[str, Any]) -> Any:
    """The Data layer of a phase, "train" or "val", with its two tops."""
    return L.Data(ntop=2, name="data", include={"phase": caffe_pb2.TRAIN if phase == "train" else caffe_pb2.TEST},
                  transform_param={"mirror": phase == "train", "crop_size": crop, **mean},
                  data_param={"source": f"examples/imagenet/ilsvrc12_{phase}_lmdb", "batch_size": batch,
                              "backend": caffe_pb2.DataParameter.LMDB})


def train_val(name: str, body: Body, end: Callable[[NetSpec, Top], None], batches: tuple[int, int], crop: int,
              mean: Mapping[str, Any]) -> Any:
    """The NetParameter for training and for testing.

    end      adds losses and accuracies to the scores
    batches  images at a time in both phases
    """
    n, test = NetSpec(), NetSpec()
    n.data, n.label = _data("train", batches[0], crop, mean)
    test.data, test.label = _data("val", batches[1], crop, mean)
    end(n, body(n, False))
    layers = list(n.to_proto().layer)
    return caffe_pb2.NetParameter(name=name, layer=[layers[0], test.to_proto().layer[0], *layers[1:]])


def deploy(name: str, body: Body, size: int, batch: int = 10) -> Any:
    """The NetParameter from images to the blob `prob`."""
    n = image(size, batch, layer="data")
    n.prob = L.Softmax(body(n, True))
    return caffe_pb2.NetParameter(name=name, layer=n.to_proto().layer)


def accuracy_and_loss(n: NetSpec, scores: Top) -> None:
    """Accuracy in tests, and the loss."""
    n.accuracy = L.Accuracy(scores, n.label, **TEST)
    n.loss = L.SoftmaxWithLoss(scores, n.label)


def solver(name: str, snapshots: str, test_interval: int = 1000, **fields: Any) -> Any:
    """The SolverParameter of a net, to start in the folder above `models`; `fields` differ from net to net."""
    return caffe_pb2.SolverParameter(
        net=f"models/{name}/train_val.prototxt", test_iter=[1000], test_interval=test_interval, base_lr=0.01,
        momentum=0.9, snapshot_prefix=f"models/{name}/{snapshots}", solver_mode=caffe_pb2.SolverParameter.GPU, **fields)


def step_solver(name: str, snapshots: str) -> Any:
    """The SolverParameter of AlexNet and CaffeNet: 450000 iterations, the rate a tenth after each 100000."""
    return solver(name, snapshots, lr_policy="step", gamma=0.1, stepsize=100000, display=20, max_iter=450000,
                  weight_decay=0.0005, snapshot=10000)
