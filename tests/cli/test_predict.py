"""The command on photos and folders: exit status, messages, options."""

from __future__ import annotations

import json
import os
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from caffe_fcn import mode
from caffe_fcn.cli import main as command
from caffe_fcn.cli import predict
from caffe_fcn.errors import CaffeFcnError

MODEL = ("--model", "camvid-fcn8s-small")


@pytest.fixture
def photos(tmp_path, root):
    """Four small photos, of which one is cut off and one lies in a folder below."""
    with Image.open(root / "examples/images/camvid_street.jpg") as whole:
        street = whole.resize((64, 48))
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "more/b.png", "c.jpg"):
        street.save(folder / name)
    (folder / "cut.jpg").write_bytes((folder / "a.jpg").read_bytes()[:900])
    return folder


def run(capsys, *arguments):
    status = command.main(["predict", *map(str, arguments)])
    return (status, *capsys.readouterr())


def test_a_folder_with_a_damaged_photo(capsys, photos, tmp_path):
    status, out, err = run(capsys, photos, *MODEL, "--out", tmp_path / "out")
    assert status == 1 and out == ""
    first, last = err.splitlines()[-2:]  # before them there may be a line on the compilation of kernels
    assert first.startswith(f"not predicted: {photos / 'cut.jpg'}: image '{photos / 'cut.jpg'}': the image is damaged")
    assert last.startswith("3 photos in ") and last.endswith("; 1 could not be predicted, named above")
    written = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert written == sorted(f"{name}{end}" for name in ("a", "c", "more/b")
                             for end in (".png", "_overlay.png", ".json"))
    labels = Image.open(tmp_path / "out/a.png")
    assert labels.mode == "P" and labels.size == (64, 48) and np.asarray(labels).max() <= 10


def test_no_photo_has_results(capsys, photos, tmp_path):
    status, _, err = run(capsys, photos / "cut.jpg", *MODEL, "--out", tmp_path / "out")
    assert status == 1 and err.splitlines()[-1].startswith("0 photos in ") and "results in" not in err
    assert not (tmp_path / "out").exists()


def test_one_photo(capsys, photos, tmp_path):
    status, out, err = run(capsys, photos / "a.jpg", *MODEL, "--out", tmp_path / "out", "--scale", "0.75")
    assert status == 0
    assert out.splitlines()[0] == str(photos / "a.jpg") and "%" in out.splitlines()[1]
    assert err.splitlines()[-1].startswith("1 photo in ")
    assert json.loads((tmp_path / "out/a.json").read_text())["inputs"] == {"data": [1, 3, 36, 48]}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are text")
def test_a_name_that_is_no_text(capsys, photos, tmp_path):
    name = os.fsdecode(b"\xff.jpg")
    (photos / "a.jpg").rename(photos / name)
    assert run(capsys, photos / name, *MODEL, "--out", tmp_path / "out")[0] == 0
    assert json.loads((tmp_path / f"out/{name[0]}.json").read_text())["image"] == str(photos / name)


@pytest.mark.parametrize(("arguments", "message"), [
    (["none.jpg", *MODEL], "there is no file 'none.jpg'"),
    (["{photos}", "--model", "camvid-fcn8s-smal"], "did you mean 'camvid-fcn8s-small'?"),
    (["{photos}", "--model", "voc-fcn8s"], "`caffe-fcn fetch voc-fcn8s` gets them"),
    (["{photos}", *MODEL, "--net", "none.prototxt"], "there is no file 'none.prototxt'"),
    (["{photos}", *MODEL, "--also", "depth=x.png"], "'camvid-fcn8s-small' has no further input 'depth'; it has none"),
    (["{photos}/more/b.png", *MODEL, "--out", "{photos}/more"], "it is another file of the same command")])
def test_what_stops_everything(capsys, photos, tmp_path, monkeypatch, arguments, message):
    monkeypatch.setenv("CAFFE_FCN_HOME", str(tmp_path))
    arguments = [text.format(photos=photos) for text in arguments]
    status, out, err = run(capsys, "--out", tmp_path / "out", *arguments)
    assert status == 2 and out == "" and message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (["--scale", "0"], "need a scale above 0"), (["--top", "0"], "at least 1"),
    (["--also", "depth"], "wanted BLOB=PATH")])
def test_options_that_are_refused(capsys, photos, tmp_path, arguments, message):
    with pytest.raises(SystemExit) as raised:
        run(capsys, photos, *MODEL, "--out", tmp_path / "out", *arguments)
    assert raised.value.code == 2 and message in capsys.readouterr().err


def test_an_interrupt(capsys, photos, tmp_path, monkeypatch):
    original = predict.predict_all

    def interrupted(*arguments):
        yield next(original(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "predict_all", interrupted)
    status, _, err = run(capsys, photos, *MODEL, "--out", tmp_path / "out")
    assert status == 130 and err.endswith("interrupted: 1 of 4 photos are done, with whole files\n")


def test_a_folder_of_one_s_own(capsys, photos, tmp_path, root):
    own = tmp_path / "mine"
    shutil.copytree(root / "models/camvid-fcn8s-small", own)
    card = own / "card.toml"
    card.write_text(card.read_text().replace('name = "camvid-fcn8s-small"', 'name = "mine"', 1))
    weights = own / "other.caffemodel"
    (own / "camvid_fcn8s_small.caffemodel").rename(weights)
    status, _, _ = run(capsys, photos / "a.jpg", "--model", own, "--weights", weights, "--out", tmp_path / "out")
    facts = json.loads((tmp_path / "out/a.json").read_text())
    assert status == 0 and facts["model"] == "mine" and facts["weights"]["file"] == str(weights)


def test_a_gpu(capsys, photos, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(mode, "set_device", asked.append)
    monkeypatch.setattr(mode, "set_mode_gpu", lambda: asked.append("gpu"))
    assert run(capsys, photos / "a.jpg", *MODEL, "--out", tmp_path / "out", "--gpu", "1")[0] == 0
    assert asked == [1, "gpu"]
    with pytest.raises(CaffeFcnError):
        predict.main([str(photos), *MODEL, "--out", str(tmp_path / "out"), "--gpu", "x"])
