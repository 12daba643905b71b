"""A published net trains as its authors did it: solver, data layer by name, kernels of the upsampling by surgery."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from family import make_narrow
from PIL import Image
from scipy.io import savemat

import caffe
import caffe_fcn_models
from caffe_fcn.proto.upgrade import read_net
from net_surgery import interp

SIZE = (24, 32)


def make_sbd(folder, rng):
    """One photo of SBD, red left and blue right, with its labels; void between."""
    for part in ("img", "cls"):
        (folder / part).mkdir(parents=True)
    photo, labels = np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8)
    photo[:, :16, 0] = photo[:, 16:, 2] = 255
    labels[:, 16:], labels[:, 15] = 7, 255
    Image.fromarray(photo).save(folder / "img" / "a.jpg")
    savemat(folder / "cls" / "a.mat", {"GTcls": {"Segmentation": labels}})
    (folder / "train.txt").write_text("a\n")


def test_voc_fcn8s(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    folder = tmp_path / "voc-fcn8s"
    shutil.copytree(caffe_fcn_models.folder("voc-fcn8s"), folder)
    make_sbd(tmp_path / "data" / "sbdd" / "dataset", rng)
    monkeypatch.chdir(folder)
    net = read_net("train.prototxt")
    make_narrow(net)
    (folder / "train.prototxt").write_text(str(net))
    lines = (folder / "solver.prototxt").read_text().replace("1e-14", "1e-6").splitlines()  # it starts from nothing
    (folder / "solver.prototxt").write_text("\n".join(line for line in lines if not line.startswith("test_")))
    (folder / "snapshot").mkdir()

    solver = caffe.SGDSolver("solver.prototxt")
    assert solver.net.layers[0].type == "Python"
    interp(solver.net, [name for name in solver.net.params if "up" in name])
    for name, blobs in solver.net.params.items():
        if "up" not in name and not name.startswith("score"):  # scores start at zero
            blobs[0].data[...] = rng.normal(0, np.sqrt(2 / blobs[0].data[0].size), blobs[0].data.shape)
    fixed = solver.net.params["upscore8"][0].data.copy()
    solver.step(1)
    # the sum over the labelled pixels
    start = float(solver.net.blobs["loss"].data)
    assert start == pytest.approx(np.log(21) * (SIZE[0] * SIZE[1] - SIZE[0]), rel=1e-5)
    solver.step(30)
    assert solver.net.blobs["loss"].data < 0.85 * start
    assert (solver.net.params["upscore8"][0].data == fixed).all()


def make_nyud(data, rng):
    """One scene of NYUDv2 of every kind: colour, HHA, depth, labels."""
    for part in ("data/images", "data/hha", "data/depth", "segmentation"):
        (data / "nyud" / part).mkdir(parents=True)
    for part in ("images", "hha"):
        Image.fromarray(rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)).save(data / f"nyud/data/{part}/img_5001.png")
    Image.fromarray(rng.integers(500, 9000, SIZE).astype(np.uint16)).save(data / "nyud/data/depth/img_5001.png")
    savemat(data / "nyud/segmentation/img_5001.mat", {"segmentation": rng.integers(0, 41, SIZE).astype(np.uint8)})
    for split in ("trainval", "test"):
        (data / f"nyud/{split}.txt").write_text("5001\n")


def make_siftflow(data, rng):
    """One photo of SIFT Flow with semantic and geometric labels."""
    scene = "spatial_envelope_256x256_static_8outdoorcategories/a"
    for part in ("Images", "SemanticLabels", "GeoLabels"):
        (data / "sift-flow" / part / scene).parent.mkdir(parents=True)
    Image.fromarray(rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)).save(data / f"sift-flow/Images/{scene}.jpg")
    savemat(data / f"sift-flow/SemanticLabels/{scene}.mat", {"S": rng.integers(0, 34, SIZE).astype(np.uint8)})
    savemat(data / f"sift-flow/GeoLabels/{scene}.mat", {"S": rng.choice([-1, 1, 2, 3], SIZE).astype(np.int16)})
    for split in ("trainval", "test"):
        (data / f"sift-flow/{split}.txt").write_text("a\n")


@pytest.mark.parametrize(("name", "make", "losses"), [
    ("nyud-fcn32s-color-d", make_nyud, {"loss": 40}), ("nyud-fcn32s-color-hha", make_nyud, {"loss": 40}),
    ("siftflow-fcn8s", make_siftflow, {"loss": 33, "loss_geo": 3}),
])  # fmt: skip
def test_nets_of_several_inputs_or_losses(tmp_path, monkeypatch, name, make, losses):
    shutil.copytree(caffe_fcn_models.folder(name), tmp_path / name)
    (tmp_path / name / "snapshot").mkdir()
    make(tmp_path / "data", np.random.default_rng(0))
    monkeypatch.chdir(tmp_path / name)
    for file in ("trainval.prototxt", "test.prototxt"):
        net = read_net(file)
        make_narrow(net)
        for layer in net.layer:  # but there are as many classes
            if layer.convolution_param.num_output == 40 // 8:
                layer.convolution_param.num_output = 40
        (tmp_path / name / file).write_text(str(net))
    solver = caffe.SGDSolver("solver.prototxt")
    labels = {"loss": "sem" if "loss_geo" in losses else "label", "loss_geo": "geo"}
    for net in (solver.net, solver.test_nets[0]):
        net.forward()
        for loss, classes in losses.items():  # scores start at zero
            known = np.count_nonzero(net.blobs[labels[loss]].data != 255)
            assert 0 < known < SIZE[0] * SIZE[1]
            assert float(net.blobs[loss].data) == pytest.approx(known * np.log(classes), rel=1e-5)
    solver.step(1)
