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
