"""The skip experiment from start to end, with few channels on a few frames."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe_fcn.proto.printer import to_text
from caffe_fcn.training.runs import load
from caffe_fcn.weights import read_weights
from caffe_fcn_models import camvid_skips


@pytest.fixture
def experiment(root, monkeypatch):
    """The example as a module, its nets slim."""
    monkeypatch.syspath_prepend(str(root / "examples"))
    monkeypatch.setattr("caffe_fcn_models.blocks.vgg.STAGES", ((2, 4), (2, 4), (3, 6), (3, 6), (3, 6)))
    monkeypatch.setattr(camvid_skips, "HIDDEN", 8)
    import skip_experiment

    return skip_experiment


@pytest.fixture
def arguments(experiment, tmp_path):
    """Features, and a VOC-style folder with two frames in each list."""
    net = tmp_path / "features.prototxt"
    net.write_text(to_text(camvid_skips.net("camvid-fcn32s", "deploy")), encoding="utf-8")
    caffe.Net(str(net), caffe.TEST).save(str(tmp_path / "features.caffemodel"))
    data, rng = tmp_path / "voc", np.random.default_rng(0)
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (data / folder).mkdir(parents=True)
    for split in ("train", "val", "test"):
        names = [f"{split}{k}" for k in range(2)]
        (data / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(names))
        for name in names:
            label = np.full((360, 480), rng.integers(0, 11), np.uint8)
            label[:100] = 255
            Image.fromarray(np.repeat(label[..., None], 3, axis=2)).save(data / "JPEGImages" / f"{name}.jpg")
            picture = Image.fromarray(label)
            picture.putpalette([k for k in range(256) for _ in range(3)])
            picture.save(data / "SegmentationClass" / f"{name}.png")
    return ["--features", str(tmp_path / "features.caffemodel"), "--data", str(data), "--out", str(tmp_path / "out")]


def test_it_trains_scores_and_reports(experiment, arguments, tmp_path, capsys):
    experiment.main([*arguments, "--iterations", "2"])
    out = tmp_path / "out"
    for name in camvid_skips.ALL:
        scores = json.loads((out / name / "scores.json").read_text())
        assert scores["iterations"] == 2 and scores["val"]["frames"] == 2
        assert 0 <= scores["test"]["mean_iu"] <= scores["test"]["pixel_accuracy"] <= 1
        assert len(load(out / name / "record").iterations) == 2
    rows = (out / "table.md").read_text().splitlines()
    assert len([row for row in rows if row.startswith("| camvid-fcn8s |")]) == 2
    with Image.open(out / "skips.jpg") as picture:
        assert picture.size == (5 * 240, 22 + 2 * 180)
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")

    # Again: complete stages are not trained again; one that lacks its end is.
    (out / "camvid-fcn32s-as-8s" / "snapshot_iter_2.caffemodel").unlink()
    (out / "camvid-fcn32s-as-8s" / "snapshot_iter_2.solverstate").unlink()
    before = (out / "camvid-fcn8s" / "snapshot_iter_2.caffemodel").stat().st_mtime_ns
    experiment.main([*arguments, "--iterations", "2"])
    assert (out / "camvid-fcn8s" / "snapshot_iter_2.caffemodel").stat().st_mtime_ns == before
    assert (out / "camvid-fcn32s-as-8s" / "snapshot_iter_2.caffemodel").exists()

    with pytest.raises(SystemExit):
        experiment.main([*arguments, "--iterations", "3"])
    assert "other settings" in capsys.readouterr().err


def test_each_stage_starts_from_the_one_before(experiment, arguments, monkeypatch):
    starts = {}
    monkeypatch.setattr(experiment, "train", lambda folder, trained, start: starts.update({folder.name: start}))
    monkeypatch.setattr(experiment, "rate", lambda *_: {"val": {"mean_iu": 0}, "test": {"mean_iu": 0}})
    monkeypatch.setattr(experiment.skip_report, "write", lambda *_: None)
    experiment.main(arguments)
    assert starts["camvid-fcn32s"].name == "features.caffemodel"
    assert starts["camvid-fcn16s"].parts[-2:] == ("camvid-fcn32s", "snapshot_iter_3500.caffemodel")
    assert starts["camvid-fcn8s"].parts[-2:] == ("camvid-fcn16s", "snapshot_iter_1000.caffemodel")
    assert starts["camvid-fcn32s-as-8s"].parts[-2:] == ("camvid-fcn32s-as-16s", "snapshot_iter_1000.caffemodel")


def test_features_are_the_convolutions_alone(experiment, arguments, tmp_path, capsys):
    """Those of VGG16 come with an fc6 of another shape, and those of another net are no good."""
    file = experiment.take_features(tmp_path / "features.caffemodel", tmp_path / "out")
    assert [layer.name for layer in read_weights(file) if layer.blobs][-1] == "conv5_3"
    other = tmp_path / "other.prototxt"
    other.write_text("layer { name: 'conv1_1' type: 'Input' top: 'data' }")
    caffe.Net(str(other), caffe.TEST).save(str(tmp_path / "other.caffemodel"))
    with pytest.raises(SystemExit):
        experiment.main([*arguments, "--features", str(tmp_path / "other.caffemodel")])
    assert "no weights of conv1_2, conv2_1" in capsys.readouterr().err


def test_a_wrong_path_is_named(experiment, arguments, capsys):
    with pytest.raises(SystemExit):
        experiment.main([*arguments, "--data", "nowhere"])
    assert "nowhere" in capsys.readouterr().err


def test_no_iterations_are_refused_before_anything_is_written(experiment, arguments, capsys):
    with pytest.raises(SystemExit):
        experiment.main([*arguments, "--iterations", "0"])
    assert "--iterations must be at least 1" in capsys.readouterr().err
    assert not Path(arguments[arguments.index("--out") + 1]).exists()
