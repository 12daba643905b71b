"""`caffe-fcn data check` on folders with one thing wrong each."""

from __future__ import annotations

import json

import numpy as np
import pytest
from dataset_files import SIZE, label, photo, text
from PIL import Image

from caffe_fcn.cli.main import main
from caffe_fcn.datasets.frequencies import median_frequency_weights

IDS = np.resize([0, 0, 1, 255], SIZE)


@pytest.fixture
def folder(tmp_path):
    """Two pairs, a for training and b for validation; classes left and right."""
    for k, name in enumerate("ab"):
        photo(tmp_path / f"JPEGImages/{name}.jpg", k)
        label(tmp_path / f"SegmentationClass/{name}.png", IDS)
    text(tmp_path / "ImageSets/Segmentation/train.txt", "a")
    text(tmp_path / "ImageSets/Segmentation/val.txt", "b")
    text(tmp_path / "classes.txt", "left", "right")
    return tmp_path


def check(folder, capsys, *arguments):
    """Exit status and what is printed."""
    status = main(["data", "check", str(folder), *arguments])
    streams = capsys.readouterr()
    return status, streams.out + streams.err


def test_a_folder_without_problems(folder, capsys):
    status, out = check(folder, capsys)
    assert status == 0
    counts = np.bincount(IDS.ravel(), minlength=256)
    for line in ("2 photos, 2 label pictures, 2 pairs looked at", "list train: 1", "sizes (width x height): 9 x 6 (2)",
                 "label modes: P (2); palettes: 1"):
        assert line in out
    rows = [line.split() for line in out.splitlines() if line[:1].isdigit()]
    assert rows[1][:3] == ["0", "left", str(2 * counts[0])] and rows[2][1] == "right" and rows[3][0] == "255"
    assert "problem" not in out and "note" not in out


def test_json_has_everything(folder, capsys):
    status, out = check(folder, capsys, "--json", "--split", "train", "--classes", "3")
    found = json.loads(out)
    counts = np.bincount(IDS.ravel(), minlength=256)
    assert status == 0 and found["pairs"] == 1 and found["splits"] == {"train": 1}
    assert [entry["pixels"] for entry in found["classes"]] == [counts[0], counts[1], 0]
    assert counts[:2].tolist() == [28, 13]  # the median is 20.5
    expected = [20.5 / 28, 20.5 / 13, 0]
    assert [entry["median_frequency_weight"] for entry in found["classes"]] == pytest.approx(expected, rel=1e-6)
    assert found["findings"] == [{"problem": False, "text": "1 of 3 classes are never seen", "names": ["2"]}]


def test_median_frequency_counts_only_pictures_with_the_class():
    """Class 0: 60 of 200 pixels, 1: 30 of 100, 2: 10 of 100, 3: never."""
    weights = median_frequency_weights(np.array([60, 30, 10, 0]), np.array([200, 100, 100, 0]))
    np.testing.assert_allclose(weights, [1, 1, 3, 0])


def test_weights_for_infogain_loss(folder, capsys, tmp_path):
    import caffe

    assert check(folder, capsys, "--weights", str(tmp_path / "h.binaryproto"))[0] == 0
    blob = caffe.proto.caffe_pb2.BlobProto.FromString((tmp_path / "h.binaryproto").read_bytes())
    matrix = caffe.io.blobproto_to_array(blob)[0, 0]
    assert matrix.shape == (2, 2) and matrix[0, 1] == matrix[1, 0] == 0
    np.testing.assert_allclose(np.diag(matrix), [20.5 / 28, 20.5 / 13], rtol=1e-6)
    (tmp_path / "net.prototxt").write_text("""
        layer { name: 'in' type: 'DummyData' top: 'score' top: 'label' dummy_data_param {
          shape { dim: [1, 2, 1, 1] } shape { dim: [1, 1, 1, 1] } data_filler { value: 0 } data_filler { value: 1 } } }
        layer { name: 'loss' type: 'InfogainLoss' bottom: 'score' bottom: 'label' top: 'loss'
          infogain_loss_param { source: '%s' } }""" % (tmp_path / "h.binaryproto"))
    loss = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST).forward()["loss"]
    assert float(loss) == pytest.approx(matrix[1, 1] * np.log(2), rel=1e-5)


def rgba_photo(folder):
    values = np.zeros((*SIZE, 4), np.uint8)
    Image.fromarray(values).save(folder / "JPEGImages/c.png")
    label(folder / "SegmentationClass/c.png", IDS)
    text(folder / "ImageSets/Segmentation/train.txt", "a", "c")


def replace_label(ids=IDS, mode=None):
    def spoil(folder):
        if mode is None:
            label(folder / "SegmentationClass/a.png", ids)
        else:
            Image.new(mode, SIZE[::-1]).save(folder / "SegmentationClass/a.png")
    return spoil


def names_in(split, *names):
    return lambda folder: text(folder / f"ImageSets/Segmentation/{split}.txt", *names)


def other_palette(folder):
    picture = Image.fromarray(IDS.astype(np.uint8))
    picture.putpalette([255 - k for k in range(256) for _ in range(3)])
    picture.save(folder / "SegmentationClass/b.png")


def damage(folder):
    file = folder / "JPEGImages/a.jpg"
    file.write_bytes(file.read_bytes()[:-200])


CASES = {
    "listed without photo": (lambda f: (f / "JPEGImages/a.jpg").unlink(), 1, "problem: 1 listed ids have no photo: a"),
    "listed without label": (lambda f: (f / "SegmentationClass/b.png").unlink(), 1, "have no label picture: b"),
    "unlisted": (names_in("val", "a"), 1, "note: 1 label pictures are in no list: b"),
    "in train and val": (names_in("val", "a", "b"), 1, "both lists train and val: a"),
    "twice": (names_in("train", "a", "a"), 0, "names 1 ids more than once: a"),
    "sizes": (replace_label(np.zeros((4, 4))), 1, "than their photo: a (photo 9 x 6, label 4 x 4)"),
    "RGB label": (replace_label(mode="RGB"), 1, "a.png' must be a palette or grey picture"),
    "RGBA label": (replace_label(mode="RGBA"), 1, "a.png' has an alpha channel"),
    "16-bit label": (replace_label(mode="I;16"), 1, "a.png' has 16 bits a pixel"),
    "grey label": (replace_label(mode="L"), 0, "note: label pictures are of several kinds: 1 of mode"),
    "out of range": (replace_label(np.full(SIZE, 7)), 1, "label 7 in 1 pictures (54 pixels) is none of the 2 classes"),
    "palettes": (other_palette, 0, "2 different palettes"),
    "alpha": (rgba_photo, 0, "note: 1 photos have an alpha channel, which is dropped: c"),
    "not .jpg": (rgba_photo, 0, "note: 1 pairs are not .jpg and .png files: FolderSegDataLayer reads them"),
    "doubled": (lambda f: photo(f / "JPEGImages/a.PNG", 3), 1, "1 names have several files with different"),
    "damaged": (damage, 1, "a.jpg': the image is damaged"),
    "not an image": (lambda f: (f / "JPEGImages/a.jpg").write_text("x"), 1, "a.jpg': not an image file"),
    "never seen": (lambda f: text(f / "classes.txt", "a", "b", "c"), 0, "note: 1 of 3 classes are never seen: 2"),
}


@pytest.mark.parametrize("case", CASES)
def test_findings(folder, capsys, case):
    spoil, status, message = CASES[case]
    spoil(folder)
    found, out = check(folder, capsys)
    assert message in out and found == status, out


def test_without_lists_pairs_are_found_by_name(folder, capsys):
    for name in ("train", "val"):
        (folder / f"ImageSets/Segmentation/{name}.txt").unlink()
    photo(folder / "JPEGImages/extra.jpg", 5)
    status, out = check(folder, capsys)
    assert status == 1 and "problem: 1 photos have no label picture: extra" in out and "there are no lists" in out


@pytest.mark.parametrize(("arguments", "message"), [
    (["--split", "test"], "there is no list '.*test.txt'; there are train, val"),
    (["--labels", "Labels"], "there is no folder '.*Labels'. Expected are photos JPEGImages/ID.jpg, label pictures"),
])
def test_folders_of_another_layout(folder, capsys, arguments, message):
    import re

    status, out = check(folder, capsys, *arguments)
    assert status == 2 and re.search(message, out)


def test_real_data(shared, capsys):
    status, out = check(shared / "data/camvid", capsys, "--split", "val", "--json")
    found = json.loads(out)
    assert status == 0 and found["pairs"] == 101 and len(found["classes"]) == 11
    assert {entry["name"] for entry in found["classes"]} >= {"sky", "bicyclist"} and found["palettes"] == 1
