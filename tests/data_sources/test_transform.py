"""Crop, mirror, mean and scale."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn.data.transform import Placement, Transformer
from caffe_fcn.errors import LayerError, MissingFileError, ShapeError
from caffe_fcn.formats import mean as mean_files
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse

IMAGE = np.random.default_rng(0).integers(0, 256, (3, 6, 7), dtype=np.uint8)
MEAN = np.random.default_rng(1).normal(100, 9, (3, 6, 7)).astype(np.float32)


def transformer(text, train=False, seed=0):
    param = parse(text, caffe_pb2.TransformationParameter())
    return Transformer(param, train, np.random.default_rng(seed))


@pytest.fixture
def mean_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mean_files.write("mean.binaryproto", MEAN)


def apply(made, placement=None):
    out = np.empty(made.shape(IMAGE.shape), np.float32)
    made.apply(IMAGE, placement or made.draw(IMAGE.shape), out)
    return out


CASES = {
    "": IMAGE,
    "scale: 0.5": IMAGE * 0.5,
    "mean_value: 10": IMAGE - 10.0,
    "mean_value: 1 mean_value: 2 mean_value: 3 scale: 2": (IMAGE - np.float32([1, 2, 3])[:, None, None]) * 2,
    "crop_size: 4": IMAGE[:, 1:5, 1:5],
    "crop_size: 3": IMAGE[:, 1:4, 2:5],
    "mean_file: 'mean.binaryproto'": IMAGE - MEAN,
    "mean_file: 'mean.binaryproto' crop_size: 4 scale: 0.25": (IMAGE - MEAN)[:, 1:5, 1:5] / 4,
}


@pytest.mark.parametrize("text", CASES)
def test_numbers(text, mean_file):
    np.testing.assert_allclose(apply(transformer(text)), CASES[text], rtol=1e-6)


def test_the_mean_is_subtracted_before_mirroring(mean_file):
    made = transformer("mean_file: 'mean.binaryproto' mirror: true crop_size: 4")
    np.testing.assert_array_equal(apply(made, Placement(1, 2, True)), (IMAGE - MEAN)[:, 1:5, 2:6][:, :, ::-1])


@pytest.mark.parametrize(("text", "train", "windows", "mirrored"), [
    ("crop_size: 5 mirror: true", True, {(r, c) for r in range(2) for c in range(3)}, {True, False}),
    ("crop_size: 5 mirror: true", False, {(0, 1)}, {True, False}),  # mirrors are drawn in the TEST phase too
    ("crop_size: 5", True, {(r, c) for r in range(2) for c in range(3)}, {False}),
    ("", True, {(0, 0)}, {False}),
])
def test_what_is_drawn(text, train, windows, mirrored):
    made = transformer(text, train)
    drawn = [made.draw(IMAGE.shape) for _ in range(200)]
    assert {(p.row, p.column) for p in drawn} == windows
    assert {p.mirrored for p in drawn} == mirrored


@pytest.mark.parametrize(("text", "message"), [
    ("crop_size: 7", "crop_size 7 is larger than the image, 6 x 7"),
    ("mean_value: 1 mean_value: 2", r"once per channel \(3\), got 2"),
])
def test_images_that_do_not_fit(text, message):
    with pytest.raises(ShapeError, match=message):
        transformer(text).shape(IMAGE.shape)


def test_an_image_of_another_shape_than_the_mean(mean_file):
    with pytest.raises(ShapeError, match=r"mean.binaryproto.*\(3, 6, 7\), the image \(3, 6, 8\)"):
        transformer("mean_file: 'mean.binaryproto'").shape((3, 6, 8))


def test_both_means():
    with pytest.raises(LayerError, match="not both"):
        transformer("mean_file: 'x' mean_value: 1")


def test_no_mean_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFileError, match=r"nothing.binaryproto"):
        transformer("mean_file: 'nothing.binaryproto'")


def test_color_and_gray_together():
    with pytest.raises(LayerError, match="not both"):
        _ = transformer("force_color: true force_gray: true").color
