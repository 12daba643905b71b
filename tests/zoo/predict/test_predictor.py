"""Nets, cards and weights that have to fit each other; many photos, of which some cannot be predicted."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe_fcn.errors import BlobMemoryError, FileAccessError, FormatError, MissingFileError, NetError, WeightsError
from caffe_fcn.zoo.cards import find
from caffe_fcn.zoo.predict import Predictor, find_jobs, predict_all, segmentation
from caffe_fcn.zoo.predict.predictor import Loaded

EYE = np.eye(3)
TOP = 'classes = ["b", "g", "r"]'
DEPTH = """
[[more_inputs]]
blob = "depth"
shape = [1, 1, "height", "width"]
channels = "D"
mean = [7.0]
log = true
range = [1, 65535]"""
DEPTH_INPUT = ('layer { name: "d" type: "Input" top: "depth" input_param { shape { dim: 1 dim: 1 dim: 8 dim: 8 } } }'
               'layer { name: "s" type: "Silence" bottom: "depth" }')


@pytest.fixture
def photos(tmp_path):
    """A function that writes photos of one colour and returns their folder."""
    folder = tmp_path / "photos"
    folder.mkdir()

    def make(**colours):
        for name, colour in colours.items():
            Image.new("RGB", (20, 10), colour).save(folder / f"{name}.png")
        return folder

    return make


def run(predictor, folder, out):
    jobs = find_jobs([folder], out, predictor.suffixes)
    return [(job.photo.name, done) for job, done in predict_all(predictor, jobs, out)]


def labels(path):
    return np.unique(np.asarray(Image.open(path))).tolist()


def test_a_folder(model, photos, tmp_path):
    folder = photos(one="red", two="blue", three="lime")
    Image.new("RGB", (31, 7), "red").save(folder / "wide.png")
    predictor = Predictor(model("segmentation", EYE, top=TOP))
    found = run(predictor, folder, tmp_path / "out")
    assert [name for name, _ in found] == ["one.png", "three.png", "two.png", "wide.png"]
    assert [labels(tmp_path / f"out/{name}") for name, _ in found] == [[2], [1], [0], [2]]
    assert Image.open(tmp_path / "out/wide.png").size == (31, 7)
    facts = json.loads((tmp_path / "out/two.json").read_text())
    digest = hashlib.sha256(predictor.weights_file.read_bytes()).hexdigest()
    assert facts["image"] == str(folder / "two.png") and facts["weights"]["sha256"] == digest
    assert facts["model"] == "own" and facts["task"] == "segmentation" and facts["seconds"] >= 0
    assert facts["classes"][0] == {"id": 0, "name": "b", "colour": [0, 0, 0], "pixels": 200, "share": 1}
    assert len(list((tmp_path / "out").iterdir())) == 12


def test_what_fails_does_not_stop_the_others(model, photos, tmp_path):
    folder = photos(a="red", c="blue", e="lime")
    (folder / "b.jpg").write_text("no photo")
    (folder / "d.png").write_bytes((folder / "a.png").read_bytes()[:45])
    (folder / "f.png").write_bytes(b"")
    found = dict(run(Predictor(model("segmentation", EYE, top=TOP)), folder, tmp_path / "out"))
    assert [name for name, done in found.items() if isinstance(done, FormatError)] == ["b.jpg", "d.png", "f.png"]
    assert [labels(tmp_path / f"out/{name}.png") for name in "ace"] == [[2], [0], [1]]
    assert sorted({path.name[0] for path in (tmp_path / "out").iterdir()}) == ["a", "c", "e"]


def test_all_fail(model, photos, tmp_path):
    folder = photos()
    (folder / "a.jpg").write_text("no photo")
    found = run(Predictor(model("segmentation", EYE, top=TOP)), folder, tmp_path / "out")
    assert [type(done) for _, done in found] == [FormatError] and not (tmp_path / "out").exists()


def test_a_photo_beyond_the_memory(model, photos, tmp_path, monkeypatch):
    predictor = Predictor(model("segmentation", EYE, top=TOP))
    forward = predictor.net.forward

    def refuse(**arguments):
        if predictor.net.blobs["data"].shape[3] > 20:
            raise BlobMemoryError("a forward pass needs 99 GiB")
        return forward(**arguments)

    monkeypatch.setattr(predictor.net, "forward", refuse)
    folder = photos(small="red")
    Image.new("RGB", (21, 10)).save(folder / "large.png")
    found = dict(run(predictor, folder, tmp_path / "out"))
    assert str(found["large.png"]) == "a forward pass needs 99 GiB; a smaller --scale needs less"
    assert labels(tmp_path / "out/small.png") == [2]


def test_results_are_replaced(model, photos, tmp_path):
    predictor = Predictor(model("segmentation", EYE, top=TOP))
    for colour, label in (("red", 2), ("blue", 0)):
        run(predictor, photos(a=colour), tmp_path / "out")
        assert labels(tmp_path / "out/a.png") == [label]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "a.png", "a_overlay.png"]


def test_an_interrupt_leaves_whole_files(model, photos, tmp_path, monkeypatch):
    saved = []

    def save(image, *arguments):
        saved.append(arguments)
        if len(saved) == 2:  # the overlay of the first photo
            arguments[0].write(b"half")
            raise KeyboardInterrupt
        original(image, *arguments)

    original = Image.Image.save
    folder = photos(a="red", b="blue")
    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(KeyboardInterrupt):
        run(Predictor(model("segmentation", EYE, top=TOP)), folder, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_a_folder_for_results_that_cannot_be_made(model, photos, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileAccessError, match=r"cannot make the folder '.*file"):
        run(Predictor(model("segmentation", EYE, top=TOP)), photos(a="red"), tmp_path / "file/out")


# further inputs


def test_depth_beside_the_photo(model, photos, tmp_path):
    predictor = Predictor(model("segmentation", EYE, top=TOP, more=DEPTH, rest=DEPTH_INPUT))
    photo, depth = photos(a="red") / "a.png", tmp_path / "depth.png"
    Image.fromarray(np.full((10, 20), 3000, np.uint16)).save(depth)
    loaded = predictor.read(photo, {"depth": depth})
    assert loaded.inputs["depth"].shape == (1, 1, 10, 20)
    assert np.allclose(loaded.inputs["depth"], np.log(3000) - 7)
    assert predictor.predict(loaded).facts["inputs"] == {"data": [1, 3, 10, 20], "depth": [1, 1, 10, 20]}
    with pytest.raises(MissingFileError, match=r"'own' needs a picture for its input 'depth' .--also depth="):
        predictor.read(photo)
    with pytest.raises(NetError, match="'own' has no further input 'hha'"):
        predictor.read(photo, {"depth": depth, "hha": depth})
    Image.fromarray(np.full((10, 21), 3000, np.uint16)).save(depth)
    with pytest.raises(FormatError, match="'depth' has 21 x 10 pixels, the photo 20 x 10"):
        predictor.read(photo, {"depth": depth})


# what has to fit


def test_weights_that_are_not_here(monkeypatch, tmp_path):
    monkeypatch.setenv("CAFFE_FCN_HOME", str(tmp_path))
    for name, advice in (("voc-fcn8s", "`caffe-fcn fetch voc-fcn8s` gets them"),
                         ("resnet50", "get ResNet-50-model.caffemodel, then `caffe-fcn fetch resnet50 --from FILE`"),
                         ("pose-fcn32s", "no weights of 'pose-fcn32s' were published: --weights names")):
        with pytest.raises(MissingFileError, match=advice):
            Predictor(name)
    with pytest.raises(MissingFileError, match=r"no file 'mine\.caffemodel'"):
        Predictor("voc-fcn8s", "mine.caffemodel")


def test_weights_of_another_net(model, root):
    with pytest.raises(WeightsError, match=r"has no weights for 1 layers of .*: mix"):
        Predictor(model("segmentation", EYE, top=TOP), root / "models/camvid-fcn8s-small/camvid_fcn8s_small.caffemodel")


def test_upsampling_has_its_values_from_the_prototxt(model, photos):
    up = """layer { name: "up" type: "Deconvolution" bottom: "mixed" top: "up" convolution_param {
            num_output: 3 group: 3 kernel_size: 2 stride: 2 bias_term: false FILLER } }"""
    for number, filler in enumerate(('weight_filler { type: "bilinear" }', "")):
        folder = Path(model("segmentation", EYE, top=TOP, name=f"net{number}"))
        net = folder / "up.prototxt"
        net.write_text((folder / "deploy.prototxt").read_text() + up.replace("FILLER", filler))
        card = folder / "card.toml"
        card.write_text(card.read_text().replace('"mixed"', '"up"'))
        if filler:
            assert Predictor(str(folder), net=net)(photos(a="lime") / "a.png").text == "g 100.0%"
        else:
            with pytest.raises(WeightsError, match=r"no weights for 1 layers of .*: up"):
                Predictor(str(folder), net=net)


@pytest.mark.parametrize(("old", "new", "message"), [
    ('top: "data"', 'top: "image"', "has the inputs data; the net '.*' takes image"),
    ('top: "mixed"', 'top: "other"', "has the output 'mixed', which the net '.*' has not")])
def test_blobs_that_the_net_has_not(model, old, new, message):
    folder = Path(model("segmentation", EYE, top=TOP))
    net = folder / "deploy.prototxt"
    net.write_text(net.read_text().replace(old, new).replace(f"bottom: {old[5:]}", f"bottom: {new[5:]}"))
    with pytest.raises(NetError, match=message):
        Predictor(str(folder))


@pytest.mark.parametrize(("name", "scale", "message"), [
    ("camvid-fcn8s-small", 0, "scale above 0, at most 100, got 0"), ("camvid-fcn8s-small", float("nan"), "got nan"),
    ("camvid-fcn8s-small", 1e308, "got 1e"),
    ("caffenet", 0.5, "'caffenet' resizes all photos")])
def test_scales(name, scale, message):
    with pytest.raises(ValueError, match=message):
        Predictor(name, scale=scale)


def test_values_that_are_not_finite(model, photos):
    folder = model("segmentation", [[np.nan, 0, 0], [0, 1, 0], [0, 0, 1]], top=TOP)
    with pytest.raises(NetError, match=r"'mixed' has values that are not finite; are '.*own.caffemodel' the weights"):
        Predictor(folder)(photos(a="red") / "a.png")


def test_the_shipped_model(root):
    predictor = Predictor("camvid-fcn8s-small")
    done = predictor(root / "examples/images/camvid_street.jpg")
    net = caffe.Net(str(predictor.net_file), str(predictor.weights_file), caffe.TEST)
    photo = np.array(Image.open(root / "examples/images/camvid_street.jpg"), np.float32)
    data = (photo[:, :, ::-1] - np.array((104.00698793, 116.66876762, 122.67891434))).transpose(2, 0, 1)
    net.blobs["data"].reshape(1, *data.shape)
    net.blobs["data"].data[...] = data
    expected = net.forward()["score"][0].argmax(axis=0)
    assert (np.asarray(done.pictures[".png"]) == expected).mean() > 0.9999
    assert done.text.startswith("road ")


def test_recorded_edges(shared):
    """The edges that BVLC Caffe found on a photo."""
    golden = np.load(shared / "golden/e2e/hed/hed_golden.npz")
    name = "camvid_0001TP_006690"
    predictor = Predictor("hed", shared / "weights/hed_bsds.caffemodel", shared / "weights/hed_deploy.prototxt")
    photo = golden[f"{name}.input_rgb_u8"]
    blob = predictor.card.input
    data = photo[:, :, ::-1].transpose(2, 0, 1)[None] - np.array(blob.mean, np.float32)[:, None, None]
    done = predictor.predict(Loaded(photo, {"data": data.astype(np.float32)}))
    grey = np.asarray(done.pictures[".png"]) / 255
    assert np.abs(grey - golden[f"{name}.prob_f16"].astype(np.float32)).max() < 1 / 255


def test_nets_with_a_second_output_for_labels():
    assert segmentation.suffixes(find("siftflow-fcn8s")) == [
        ".png", "_overlay.png", "_score_geo.png", "_score_geo_overlay.png"]


def test_the_example_of_the_documents(root, tmp_path, monkeypatch, capsys):
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    text = (root / "docs/predict.md").read_text(encoding="utf-8")
    exec(text.split("```python\n")[1].split("```")[0], {})
    assert Image.open("overlay.png").size == (480, 360)
    assert capsys.readouterr().out.startswith("sky 0.1")
