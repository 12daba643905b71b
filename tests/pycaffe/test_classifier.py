"""Classifier and Detector, and the commands over them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe_fcn.cli.main import main
from caffe_fcn.errors import NotSupportedError

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [4, 3, 6, 6] } } }
layer { name: "mean" type: "Reduction" bottom: "data" top: "mean" reduction_param { operation: MEAN axis: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "mean" top: "fc" inner_product_param {
  num_output: 2 weight_filler { type: "gaussian" std: 1 } } }
"""
RNG = np.random.default_rng(0)
MEAN = np.array([1.0, 2.0, 3.0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net").write_text(NET)
    caffe.set_random_seed(1)
    caffe.Net("net", caffe.TEST).save("w")
    Image.fromarray(RNG.integers(0, 256, (9, 12, 3)).astype(np.uint8)).save("a.png")
    Image.fromarray(RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)).save("b.png")
    return tmp_path


def scores(net: caffe.Net, planes: np.ndarray) -> np.ndarray:
    """What the net makes of planes (channels, height, width)."""
    weights, bias = (blob.data for blob in net.params["fc"])
    return weights @ planes.mean(axis=(1, 2)) + bias


def test_centre_of_an_image(folder: Path) -> None:
    net = caffe.Classifier("net", "w", image_dims=(8, 8), mean=MEAN, raw_scale=255, channel_swap=(2, 1, 0),
                           input_scale=0.5)
    image = np.tile(RNG.random((1, 1, 3)), (8, 8, 1)).astype(np.float32)
    image[:1] = image[-1:] = 0  # outside of the centre
    want = scores(net, (image[1:7, 1:7, ::-1].transpose(2, 0, 1) * 255 - MEAN[:, None, None]) * 0.5)
    np.testing.assert_allclose(net.predict([image] * 5, oversample=False), [want] * 5, rtol=1e-4, atol=1e-3)


def test_average_over_ten_crops(folder: Path) -> None:
    net = caffe.Classifier("net", "w", image_dims=(8, 8))
    image = RNG.random((8, 8, 3)).astype(np.float32)
    places = [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)]
    crops = [scores(net, image[y:y + 6, x:x + 6].transpose(2, 0, 1)) for y, x in places]
    np.testing.assert_allclose(net.predict([image, image]), [np.mean(crops, axis=0)] * 2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("inputs", [[], np.ones((5, 5, 3))])
def test_no_list_of_images(folder: Path, inputs) -> None:
    with pytest.raises(IndexError, match="takes a list of images"):
        caffe.Classifier("net", "w").predict(inputs)


def test_windows(folder: Path) -> None:
    net = caffe.Detector("net", "w")
    found = net.detect_windows([("a.png", [[0, 0, 6, 6], [1, 2, 7, 8]]), ("b.png", np.array([[3, 4, 9, 10]]))])
    image = caffe.io.load_image("b.png")
    assert [entry["filename"] for entry in found] == ["a.png", "a.png", "b.png"]
    np.testing.assert_allclose(found[2]["prediction"], scores(net, image[3:9, 4:10].transpose(2, 0, 1)), rtol=1e-4,
                               atol=1e-5)
    with pytest.raises(IndexError, match="no windows"):
        net.detect_windows([("a.png", [])])


def test_context_around_a_window(folder: Path) -> None:
    """With one pixel of context a window of 4 becomes the whole input of 6; beyond the image there is the mean."""
    net = caffe.Detector("net", "w", mean=MEAN, raw_scale=255, channel_swap=(2, 1, 0), context_pad=1)
    np.testing.assert_allclose(net.crop_mean[0, 0], MEAN[::-1] / 255)
    image = np.ones((20, 30, 3), np.float32)
    inside = net.crop(image, np.array([8, 9, 14, 15]))
    assert inside.shape == (6, 6, 3)
    assert (inside == 1).all()
    corner = net.crop(image, np.array([0, 0, 6, 6]))
    np.testing.assert_allclose(corner[0], np.tile(MEAN[::-1] / 255, (6, 1)), rtol=1e-6)
    np.testing.assert_allclose(corner[:, 0], np.tile(MEAN[::-1] / 255, (6, 1)), rtol=1e-6)
    assert (corner[2:, 2:] == 1).all()
    for context_pad in (1, None):
        net.context_pad = context_pad
        with pytest.raises(ValueError, match="not in the image"):
            net.crop(image, np.array([50, 0, 60, 6]))


def test_selective_search_is_elsewhere(folder: Path) -> None:
    with pytest.raises(NotSupportedError, match="detect_windows"):
        caffe.Detector("net", "w").detect_selective_search(["a.png"])


MODEL = ["--model_def", "net", "--pretrained_model", "w"]


def test_classify_command(folder: Path) -> None:
    np.save("mean.npy", MEAN)
    assert main(["classify", "a.png", "out", *MODEL, "--images_dim", "8,8", "--mean_file", "mean.npy"]) == 0
    assert np.load("out.npy").shape == (1, 2)
    assert main(["classify", ".", "all.npy", *MODEL, "--ext", "png", "--center_only"]) == 0
    assert np.load("all.npy").shape == (2, 2)
    np.save("images.npy", np.stack([caffe.io.load_image("a.png")] * 3))
    assert main(["classify", "images.npy", "three.npy", *MODEL]) == 0
    assert np.load("three.npy").shape == (3, 2)


def test_detect_command(folder: Path) -> None:
    Path("windows.csv").write_text("filename,ymin,xmin,ymax,xmax\na.png,0,0,6,6\nb.png,1,2,9,8\nb.png,3,3,9,9\n")
    assert main(["detect", "windows.csv", "out.csv", *MODEL, "--crop_mode", "list", "--context_pad", "0"]) == 0
    rows = list(csv.reader(Path("out.csv").read_text().splitlines()))
    assert rows[0] == ["filename", "ymin", "xmin", "ymax", "xmax", "class0", "class1"]
    assert [row[:5] for row in rows[1:]] == [["a.png", "0", "0", "6", "6"], ["b.png", "1", "2", "9", "8"],
                                             ["b.png", "3", "3", "9", "9"]]


def test_detect_takes_the_average_of_a_mean_image(folder: Path) -> None:
    """As the original's detect.py; its classify.py subtracts the image."""
    Path("windows.csv").write_text("filename,ymin,xmin,ymax,xmax\na.png,0,0,6,6\n")
    image = np.random.default_rng(0).random((3, 6, 6)) * 255
    np.save("image.npy", image)
    np.save("values.npy", image.mean(axis=(1, 2)))
    for name in ("image", "values"):
        assert main(["detect", "windows.csv", f"{name}.csv", *MODEL, "--crop_mode", "list",
                     "--context_pad", "1", "--mean_file", f"{name}.npy"]) == 0
    assert Path("image.csv").read_text() == Path("values.csv").read_text()


BAD = [
    (["classify", "none.png", "out", *MODEL], "no file 'none.png'"),
    (["classify", ".", "out", *MODEL, "--ext", "gif"], r"no \*.gif"),
    (["classify", "a.png", "out", *MODEL, "--images_dim", "8xx8"], "--images_dim takes whole numbers"),
    (["classify", "a.png", "out", *MODEL, "--mean_file", "net.npy"], "net.npy"),
    (["detect", "bad.csv", "out.csv", *MODEL, "--crop_mode", "list"], "bad.csv:1: columns are missing: xmax"),
    (["detect", "words.csv", "out.csv", *MODEL, "--crop_mode", "list"], "words.csv:2: a window is four numbers"),
    (["detect", "bad.csv", "out.h5", *MODEL], "only .csv is written"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_commands(folder: Path, capsys: pytest.CaptureFixture, arguments: list[str], message: str) -> None:
    Path("bad.csv").write_text("filename,ymin,xmin,ymax\n")
    Path("words.csv").write_text("filename,ymin,xmin,ymax,xmax\na.png,0,0,6,six\n")
    Path("net.npy").write_text("no array")
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message.replace("\\", "") in err
    assert "Traceback" not in err
    assert not Path("out.csv").exists()
