"""Scripts like those of the FCN repository run as they are."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe_fcn.cli.main import main

sys.path.insert(0, str(Path(__file__).parent))
import old_scripts

sys.path.pop(0)

FILES = {
    "net.py": old_scripts.NET, "voc_layers.py": old_scripts.VOC_LAYERS, "surgery.py": old_scripts.SURGERY,
    "score.py": old_scripts.SCORE, "solve.py": old_scripts.SOLVE, "vis.py": old_scripts.VIS,
    "infer.py": old_scripts.INFER, "solver.prototxt": old_scripts.SOLVER,
}
NAMES = ("a", "b", "c")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The scripts and a VOC folder of three images; modules that the test imports are forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    for name, source in FILES.items():
        Path(name).write_text(source)
        monkeypatch.delitem(sys.modules, Path(name).stem, raising=False)  # other tests import modules of these names
    rng = np.random.default_rng(0)
    for part in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        os.makedirs(f"voc/{part}")
    for name in NAMES:
        Image.fromarray(rng.integers(0, 256, (24, 30, 3)).astype(np.uint8)).save(f"voc/JPEGImages/{name}.jpg")
        label = rng.integers(0, 3, (24, 30)).astype(np.uint8)
        label[0] = 255
        Image.fromarray(label).save(f"voc/SegmentationClass/{name}.png")
    Path("voc/ImageSets/Segmentation/train.txt").write_text("a\nb\n")
    Path("voc/ImageSets/Segmentation/val.txt").write_text("b\nc\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def checksums(folder: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.py"))}


def test_generator_training_and_inference(folder: Path, capsys: pytest.CaptureFixture) -> None:
    before = checksums(folder)
    assert main(["run", "net.py"]) == 0
    assert capsys.readouterr().out == "written 6\n"
    assert Path("train.prototxt").read_text().endswith("# train\n")
    deploy = caffe.Net("deploy.prototxt", caffe.TEST)
    assert deploy.params["conv1"][0].shape == (6, 3, 3, 3)  # 32 / 5 and 20 / 3 are whole numbers
    caffe.set_random_seed(3)
    deploy = caffe.Net("deploy.prototxt", caffe.TEST)
    deploy.params["score_fr"][0].data[...] = np.random.default_rng(0).standard_normal((3, 6, 1, 1)) * 0.01
    deploy.save("base.caffemodel")

    assert main(["run", "solve.py", "0"]) == 0
    out = capsys.readouterr().out
    assert "Begin seg tests" in out
    assert ">>> Iteration 6 overall accuracy 0." in out
    assert out.endswith(f"pixels {2 * 23 * 30}\n")
    assert sorted(os.listdir("labels")) == ["b.png", "c.png"]

    assert main(["run", "infer.py"]) == 0
    assert capsys.readouterr().out == f"(24, 30) {24 * 30 // 7}\n"
    assert np.load("out.npy").shape == (24, 30)
    assert Image.open("output.png").size == (30, 24)
    assert checksums(folder) == before
    assert not list(folder.rglob("__pycache__"))


def prototxt(module: str, layer: str, count: int, /, **params: object) -> str:
    names = " ".join(f'top: "{name}"' for name in "xyz"[:count])
    return (f'layer {{ name: "data" type: "Python" {names} python_param {{ module: "{module}_layers" '
            f'layer: "{layer}" param_str: "{params}" }} }}')


def test_the_other_data_layers(folder: Path, capsys: pytest.CaptureFixture) -> None:
    import scipy.io

    rng = np.random.default_rng(1)
    labels, geo, depth = rng.integers(0, 5, (8, 10)), rng.integers(0, 4, (8, 10)), rng.random((8, 10)) + 1
    os.mkdir("d")
    scipy.io.savemat("d/a.mat", {"labels": labels, "geo": geo, "depth": depth})
    Image.fromarray(rng.integers(0, 256, (8, 10, 3)).astype(np.uint8)).save("d/a.jpg")
    Path("d/list.txt").write_text("a\n\n")
    Path("d/labels.txt").write_text("2: sky\n4: road\n")
    for name, source in old_scripts.OTHER_LAYERS.items():
        Path(f"{name}_layers.py").write_text(source)
    Path("nyud.prototxt").write_text(prototxt("nyud", "NYUDLayer", 3, dir="d", tops=["color", "depth", "label"]))
    Path("context.prototxt").write_text(prototxt("context", "ContextLayer", 2, dir="d"))
    Path("siftflow.prototxt").write_text(prototxt("siftflow", "SiftLayer", 2, dir="d"))
    Path("look.py").write_text(
        "import caffe, numpy as np\n"
        "for name in 'nyud', 'context', 'siftflow':\n"
        "    net = caffe.Net(name + '.prototxt', caffe.TRAIN)\n"
        "    np.savez(name, **net.forward())\n"
        "    print name, sorted(net.blobs.keys())\n")
    assert main(["run", "look.py"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "nyud ['x', 'y', 'z']"
    got = np.load("nyud.npz")
    assert got["x"].shape == (1, 3, 8, 10)
    np.testing.assert_allclose(got["y"][0, 0], np.log(depth), rtol=1e-6)
    np.testing.assert_array_equal(got["z"][0, 0], labels)
    got = np.load("context.npz")
    kept = np.select([labels == 2, labels == 4], [1, 2], 0)
    np.testing.assert_array_equal(got["x"][0, 0], kept)
    np.testing.assert_array_equal(got["y"][0, 0], kept[2:6, 2:7])
    got = np.load("siftflow.npz")
    np.testing.assert_array_equal(got["y"][0, 0], np.where(geo == 0, 255, geo - 1))
