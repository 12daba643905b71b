"""The training examples: the tutorial's solving script, the VOC data layer, scoring, the CamVid run."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe

# The tutorial's script but for the number of steps (80000 there); interp_surgery as in the tutorial's helper.
SOLVE = """\
import caffe
import numpy as np
from surgery import interp_surgery

base_weights = 'vgg16fc.caffemodel'

caffe.set_mode_gpu()
caffe.set_device(0)

solver = caffe.SGDSolver('solver.prototxt')

interp_layers = [k for k in solver.net.params.keys() if 'up' in k]
interp_surgery(solver.net, interp_layers)

solver.net.copy_from(base_weights)

solver.step(3)
"""
SURGERY = """\
import numpy as np

def interp_surgery(net, layers):
    for name in layers:
        weights = net.params[name][0].data
        size = weights.shape[2]
        factor = (size + 1) // 2
        line = 1 - np.abs(np.arange(size) - (size - 1) / 2) / factor
        for channel in range(weights.shape[0]):
            weights[channel, channel, :, :] = np.outer(line, line)
"""
NET = """
layer { name: 'data' type: 'Python' top: 'data' top: 'label' python_param {
  module: 'voc_layers' layer: 'VOCSegDataLayer' param_str: "{'voc_dir': 'voc', 'split': 'train', 'seed': 1}" } }
layer { name: 'conv1' type: 'Convolution' bottom: 'data' top: 'conv1' convolution_param {
  num_output: 4 kernel_size: 2 stride: 2 weight_filler { type: 'xavier' } } }
layer { name: 'score_fr' type: 'Convolution' bottom: 'conv1' top: 'score_fr' convolution_param {
  num_output: 3 kernel_size: 1 } }
layer { name: 'upscore' type: 'Deconvolution' bottom: 'score_fr' top: 'score' param { lr_mult: 0 } convolution_param {
  num_output: 3 bias_term: false kernel_size: 4 stride: 2 pad: 1 } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'score' bottom: 'label' top: 'loss' loss_param {
  ignore_label: 255 normalize: false } }
"""


@pytest.fixture
def voc(tmp_path, monkeypatch):
    """A VOC-style folder `voc` of 4 frames of 24 x 16 in the working directory; label = third of the width."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / "voc" / folder).mkdir(parents=True)
    label = np.broadcast_to(np.arange(24) // 8, (16, 24)).astype(np.uint8).copy()
    label[0] = 255
    for name in "abcd":
        photo = np.repeat(label[..., None] * 80, 3, axis=2) + rng.integers(0, 30, (16, 24, 3))
        Image.fromarray(photo.astype(np.uint8)).save(tmp_path / "voc" / "JPEGImages" / f"{name}.jpg", quality=95)
        picture = Image.fromarray(label)
        picture.putpalette([k for k in range(256) for _ in range(3)])
        picture.save(tmp_path / "voc" / "SegmentationClass" / f"{name}.png")
    for split, ids in (("train", "a\nb\n"), ("val", "c\nd\n")):
        (tmp_path / "voc" / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(ids)
    (tmp_path / "voc" / "classes.txt").write_text("left\nmiddle\nright\n")
    return tmp_path


@pytest.fixture
def examples(root, monkeypatch):
    """The folder of the examples, importable."""
    monkeypatch.syspath_prepend(str(root / "examples"))
    return root / "examples"


def python(script, cwd, *arguments):
    words = [sys.executable, str(script), *arguments]
    done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("own_surgery", [True, False])
def test_tutorial_solving_script(voc, examples, own_surgery):
    """Verbatim, on a machine without a GPU: one warning, bilinear kernels, base weights, and it trains."""
    (voc / "net.prototxt").write_text(NET)
    (voc / "solver.prototxt").write_text("train_net: 'net.prototxt' base_lr: 1e-5 lr_policy: 'fixed' momentum: 0.9 "
                                         "max_iter: 9 snapshot: 3 snapshot_prefix: 's'")
    (voc / "voc_layers.py").write_text((examples / "voc_layers.py").read_text())
    base = caffe.Net("net.prototxt", caffe.TRAIN)
    base.params["conv1"][0].data[...] = 0.25
    base.save("all.caffemodel")
    message = caffe.proto.caffe_pb2.NetParameter.FromString(Path("all.caffemodel").read_bytes())
    del message.layer[2:]  # a classifier has other layers
    Path("vgg16fc.caffemodel").write_bytes(message.SerializeToString())
    if own_surgery:
        (voc / "surgery.py").write_text(SURGERY)
        (voc / "solve.py").write_text(SOLVE)
        done = python("solve.py", voc)
    else:
        done = python(examples / "solve.py", voc, "vgg16fc.caffemodel", "3")
    assert done.stderr.count("Warning") == 1 and "going on with the CPU" in done.stderr
    base.copy_from("s_iter_3.caffemodel")
    kernel = np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(base.params["upscore"][0].data[1, 1], kernel, rtol=1e-6)
    assert not base.params["upscore"][0].data[0, 1].any()
    assert 0 < np.abs(base.params["conv1"][0].data - 0.25).max() < 0.1
    assert base.params["score_fr"][0].data.any()


class TestVocLayer:
    """The layer through the module that nets name; tests/datasets has the rest."""

    def net(self, **settings):
        Path("net.prototxt").write_text(NET.replace(
            "{'voc_dir': 'voc', 'split': 'train', 'seed': 1}", str({"voc_dir": "voc", **settings})))
        return caffe.Net("net.prototxt", caffe.TRAIN)

    def test_whole_frames_in_order(self, voc, examples):
        net = self.net(split="val", mean=(1.0, 2.0, 3.0))
        net.forward()
        assert net.blobs["data"].shape == (1, 3, 16, 24) and net.blobs["label"].shape == (1, 1, 16, 24)
        first = net.blobs["data"].data.copy()
        photos = {name: np.asarray(Image.open(f"voc/JPEGImages/{name}.jpg"), np.float32)[:, :, ::-1] - (1, 2, 3)
                  for name in "cd"}
        net.forward()
        second = net.blobs["data"].data
        found = [name for blob in (first, second) for name, photo in photos.items()
                 if np.array_equal(blob[0], photo.transpose(2, 0, 1).astype(np.float32))]
        assert sorted(found) == ["c", "d"]
        assert np.unique(net.blobs["label"].data).tolist() == [0, 1, 2, 255]

    def test_pieces_keep_labels_with_pixels(self, voc, examples):
        net = self.net(batch=4, crop=(8, 16), scale=(0.8, 2.0), seed=2, mean=(0, 0, 0))
        for _ in range(5):
            net.forward()
            data, label = net.blobs["data"].data, net.blobs["label"].data[:, 0]
            assert data.shape == (4, 3, 8, 16)
            inner = label != 255
            for k in range(3):  # the photo is 80 * label + 0 ... 29
                values = data.mean(1)[inner & (label == k)]
                assert abs(np.median(values) - (80 * k + 15)) < 15

    def test_seed_and_mirror(self, voc, examples):
        def pieces(**settings):
            net = self.net(crop=(16, 24), **settings)
            found = []
            for _ in range(8):
                net.forward()
                found.append(net.blobs["label"].data[0, 0, 8].copy())
            return found

        assert np.array_equal(pieces(seed=3), pieces(seed=3))
        assert {row[0] < row[-1] for row in pieces(seed=3)} == {True, False}
        assert {row[0] < row[-1] for row in pieces(seed=3, mirror=False)} == {True}


def test_score(voc, examples, capsys):
    import score

    Path("net.prototxt").write_text(NET.replace("'train', 'seed': 1", "'val'").replace("pad: 1 ", (
        "pad: 1 weight_filler { type: 'bilinear' } ")))
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.params["score_fr"][1].data[...] = (0, 9, 0)  # all middle
    net.params["upscore"][0].data[...] = 0
    net.params["upscore"][0].data[range(3), range(3)] = 0.25
    hist, loss = score.compute_hist(net, "pictures", ["c", "d"])
    assert hist.tolist() == [[0, 240, 0]] * 3 and loss > 0
    assert np.asarray(Image.open("pictures/d.png")).tolist() == [[1] * 24] * 16
    scores = score.do_seg_tests(net, 7, False, ["c", "d"])
    assert scores.mean_iu == pytest.approx(1 / 9) and scores.pixel_accuracy == pytest.approx(1 / 3)
    printed = capsys.readouterr().out
    for word in ("Iteration 7 loss", "overall accuracy 0.3333", "mean accuracy 0.3333", "mean IU 0.1111", "fwavacc"):
        assert word in printed


def test_seg_tests_uses_the_weights_of_the_solver(voc, examples):
    import score

    Path("net.prototxt").write_text(NET)
    Path("solver.prototxt").write_text("net: 'net.prototxt' base_lr: 1e-5 lr_policy: 'fixed' test_iter: 2 "
                                       "test_interval: 100 snapshot_prefix: 's'")
    solver = caffe.SGDSolver("solver.prototxt")
    solver.net.params["score_fr"][1].data[...] = (0, 0, 9)
    solver.net.params["upscore"][0].data[range(3), range(3)] = 1
    assert score.seg_tests(solver, False, ["a", "b"]).matrix.sum(axis=0).tolist() == [0, 0, 720]


@pytest.mark.slow
def test_camvid_run(voc, examples):
    """On any VOC-style folder: report, and a folded net that scores as the trained one."""
    done = python(examples / "camvid_train.py", voc, "--data", "voc", "--out", "out", "--minutes", "0.01")
    assert "mean IU" in done.stdout and (voc / "out" / "record" / "report.html").exists()
    net = caffe.Net("out/deploy.prototxt", "out/trained.caffemodel", caffe.TEST)
    assert not any(layer.type in ("BatchNorm", "Scale", "Dropout") for layer in net.layers)
    assert net.blobs["score"].shape[1] == 3
    again = python(examples / "camvid_train.py", voc, "--data", "voc", "--out", "out")
    assert "Restored iteration 4" in again.stderr
    other = subprocess.run([sys.executable, str(examples / "camvid_train.py"), "--out", "out", "--minutes", "7"],
                           cwd=voc, capture_output=True, text=True, check=False)
    assert other.returncode == 2 and "was started with minutes 0.01, not 7.0" in other.stderr


def test_camvid_nets_are_those_of_their_generator(root, tmp_path):
    model = root / "models" / "camvid-fcn8s-small"
    python(model / "nets.py", tmp_path, str(tmp_path))
    for name in ("train.prototxt", "val.prototxt", "class_weights.binaryproto"):
        assert (tmp_path / name).read_bytes() == (model / name).read_bytes()


def test_random_is_left_alone(voc, examples):
    """The layer draws from a generator of its own."""
    Path("net.prototxt").write_text(NET)
    random.seed(1)
    before = random.getstate()
    caffe.Net("net.prototxt", caffe.TRAIN).forward()
    assert random.getstate() == before
