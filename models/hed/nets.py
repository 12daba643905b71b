"""HED: edges, from each stage of VGG-16 and from all of them together."""

from __future__ import annotations

from typing import Any

from caffe_fcn.proto import caffe_pb2
from caffe_fcn.pycaffe.net_spec import NetSpec
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn_models.blocks import Nets, write
from caffe_fcn_models.blocks.data import VOC_MEAN, image
from caffe_fcn_models.blocks.hed import hed

FOLDER = "../data/HED-BSDS/"


def pairs() -> NetSpec:
    """Photos and edges of BSDS500, augmented as its authors published them."""
    n = NetSpec()
    n.data, n.label = L.ImageLabelmapData(
        ntop=2, transform_param={"mirror": False, "mean_value": VOC_MEAN},
        image_data_param={"root_folder": FOLDER, "source": f"{FOLDER}train_pair.lst", "batch_size": 1, "shuffle": True,
                          "new_height": 0, "new_width": 0})
    return n


def net(n: NetSpec, name: str) -> Any:
    """The whole net, called `name`."""
    hed(n)
    return caffe_pb2.NetParameter(name=name, layer=n.to_proto().layer)


def nets() -> Nets:
    """The files of this folder."""
    solver = caffe_pb2.SolverParameter(
        net="train_val.prototxt", test_iter=[0], test_interval=1000000, base_lr=1e-6, lr_policy="step", gamma=0.1,
        iter_size=10, stepsize=10000, display=20, max_iter=30001, momentum=0.9, weight_decay=0.0002, snapshot=1000,
        snapshot_prefix="hed")
    return {"train_val": net(pairs(), "HED"), "deploy": net(image(), "FCN"), "solver": solver}


if __name__ == "__main__":
    write(__file__, nets())
