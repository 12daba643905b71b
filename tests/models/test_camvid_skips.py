"""The nets of the skip experiment."""

from __future__ import annotations

import numpy as np
import pytest

import caffe
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.printer import to_text
from caffe_fcn_models import blocks, camvid_skips

# Facts by name: parameters, and the offsets of the Crop layers from coarse to fine.
FACTS = {
    "camvid-fcn32s": (17_387_851, [16]),
    "camvid-fcn16s": (17_359_878, [1, 8]),
    "camvid-fcn8s": (17_354_433, [1, 1, 4]),
}


def build(name, split, folder):
    """A net without its data layer: Input layers `data` and `label` instead."""
    message = camvid_skips.net(name, split)
    if split != "deploy":
        source = caffe_pb2.LayerParameter(name="data", type="Input", top=["data", "label"])
        for channels in (3, 1):
            source.input_param.shape.add(dim=[1, channels, 180, 240])
        message.layer[0].CopyFrom(source)
    file = folder / f"{split}.prototxt"
    file.write_text(to_text(message), encoding="utf-8")
    return caffe.Net(str(file), caffe.TRAIN if split == "train" else caffe.TEST)


@pytest.fixture
def slim(monkeypatch):
    """The nets with few channels."""
    monkeypatch.setattr("caffe_fcn_models.blocks.vgg.STAGES", ((2, 4), (2, 4), (3, 6), (3, 6), (3, 6)))
    monkeypatch.setattr(camvid_skips, "HIDDEN", 8)


@pytest.mark.parametrize("name", FACTS)
def test_the_program_gives_the_files(name, root):
    for file, message in camvid_skips.nets(name).items():
        assert (root / "models" / name / f"{file}.prototxt").read_text(encoding="utf-8") == blocks.files.text(message)


@pytest.mark.parametrize("name", FACTS)
def test_parameters_offsets_and_shapes(name, tmp_path):
    parameters, offsets = FACTS[name]
    net = build(name, "deploy", tmp_path)
    assert sum(blob.count for blobs in net.params.values() for blob in blobs) == parameters
    crops = [layer.crop_param.offset for layer in camvid_skips.net(name, "deploy").layer if layer.type == "Crop"]
    assert [list(offset) for offset in crops] == [[offset] for offset in offsets]
    assert tuple(net.blobs["fc7"].shape) == (1, 512, 6, 8) and tuple(net.blobs["score"].shape) == (1, 11, 180, 240)
    net.blobs["data"].reshape(1, 3, 101, 333)
    net.reshape()
    assert tuple(net.blobs["score"].shape) == (1, 11, 101, 333)


@pytest.mark.parametrize("name", FACTS)
def test_gradients_reach_what_is_trained(name, tmp_path, slim):
    net = build(name, "train", tmp_path)
    rng = np.random.default_rng(0)
    for layer in ("score_fr", "score_pool4", "score_pool3"):
        if layer in net.params:
            net.params[layer][0].data[...] = rng.normal(size=net.params[layer][0].shape)
    net.blobs["data"].data[...] = rng.normal(size=net.blobs["data"].shape) * 50
    net.blobs["label"].data[...] = rng.choice([0, 5, 10, 255], size=net.blobs["label"].shape)
    loss = net.forward()["loss"]
    net.backward()
    assert np.isfinite(loss)
    moved = {layer for layer, blobs in net.params.items() if np.any(blobs[0].diff)}
    frozen = {"conv1_1", "conv1_2", "conv2_1", "conv2_2"}
    assert moved == {layer for layer in net.params if not layer.startswith("upscore")} - frozen


def test_a_skip_changes_nothing_at_first(tmp_path, slim):
    """What the 16 pixel net adds to the scores of the trained 32 pixel net is zero before it is trained."""
    coarse, fine = (build(name, "deploy", tmp_path) for name in ("camvid-fcn32s", "camvid-fcn16s"))
    rng = np.random.default_rng(1)
    coarse.params["score_fr"][0].data[...] = rng.normal(size=coarse.params["score_fr"][0].shape)
    coarse.save(str(tmp_path / "coarse.caffemodel"))
    fine.copy_from(str(tmp_path / "coarse.caffemodel"))
    for net in (coarse, fine):
        net.blobs["data"].data[...] = np.random.default_rng(2).normal(size=net.blobs["data"].shape) * 50
        net.forward()
    assert fine.blobs["score_fr"].data.any()
    assert np.array_equal(fine.blobs["score_fr"].data, coarse.blobs["score_fr"].data)
    assert np.array_equal(fine.blobs["fuse_pool4"].data, fine.blobs["upscore2c"].data)


def test_the_control_is_trained_like_the_skips(tmp_path):
    for control, name in (("camvid-fcn32s-as-16s", "camvid-fcn16s"), ("camvid-fcn32s-as-8s", "camvid-fcn8s")):
        assert camvid_skips.solver(control, "x", "y") == camvid_skips.solver(name, "x", "y")
        assert camvid_skips.ALL[control].skips == ()
    assert camvid_skips.net("camvid-fcn32s-as-8s", "train").layer == camvid_skips.net("camvid-fcn32s", "train").layer
