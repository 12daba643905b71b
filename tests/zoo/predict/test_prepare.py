"""From a picture to the values of an input, as the card says."""

from __future__ import annotations

import numpy as np
import pytest

import caffe
from caffe_fcn.errors import FormatError, NotSupportedError
from caffe_fcn.zoo.card import Input
from caffe_fcn.zoo.cards import find
from caffe_fcn.zoo.predict.prepare import check_input, prepare

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (6, 9, 3), np.uint8)


def entry(**keys):
    return Input(**{"blob": "data", "shape": (1, 3, "height", "width"), "channels": "BGR", **keys})


@pytest.mark.parametrize(("keys", "expected"), [
    ({}, PHOTO[:, :, ::-1]),
    ({"channels": "RGB"}, PHOTO), ({"channels": "HHA"}, PHOTO),
    ({"mean": (1.0, 2.0, 3.5), "scale": 0.5}, (PHOTO[:, :, ::-1] - [1, 2, 3.5]) / 2),
    ({"range": (0.0, 1.0)}, PHOTO[:, :, ::-1] / 255), ({"range": (-1.0, 1.0)}, PHOTO[:, :, ::-1] / 127.5 - 1)])
def test_order_mean_scale_range(keys, expected):
    found = prepare(PHOTO, entry(**keys))
    assert found.shape == (1, 3, 6, 9) and found.dtype == np.float32 and found.flags.c_contiguous
    assert np.allclose(found[0].transpose(1, 2, 0), expected, atol=1e-4)


def test_the_logarithm_comes_before_the_mean():
    depth = np.array([[[1000.0], [4000.0]]], np.float32)
    found = prepare(depth, entry(channels="D", shape=(1, 1, "height", "width"), log=True, mean=(7.0,)))
    assert np.allclose(found[0, 0], np.log([[1000, 4000]]) - 7)


@pytest.mark.parametrize(("keys", "scale", "size"), [
    ({"resize": "stretch", "size": (4, 8)}, 1, (4, 8)), ({"resize": "short_side", "size": (4, 4)}, 1, (4, 6)),
    ({}, 0.5, (3, 4)), ({}, 2, (12, 18)), ({}, 0.01, (1, 1))])
def test_sizes(keys, scale, size):
    found = prepare(PHOTO, entry(**keys), scale)
    assert found.shape[2:] == size
    assert np.allclose(found[0].transpose(1, 2, 0)[:, :, ::-1], caffe.io.resize_image(PHOTO, size), atol=1e-4)


def test_the_crop_is_the_centre():
    found = prepare(PHOTO, entry(crop=(3, 4)))
    assert np.array_equal(found[0].transpose(1, 2, 0)[:, :, ::-1], PHOTO[1:4, 2:6])
    with pytest.raises(FormatError, match="a crop of 10 x 3 does not fit a photo of 9 x 6"):
        prepare(PHOTO, entry(crop=(3, 10)))


@pytest.mark.parametrize(("keys", "message"), [
    ({"channels": "LAB"}, "channels = 'LAB' must be one of BGR, RGB, HHA, D"),
    ({"channels": "D"}, "shape has 3 channels, 'D' has 1"), ({"range": (1.0,)}, r"range = \[1\.0\] must be"),
    ({"crop": (3, 3)}, "crop is for classification")])
def test_inputs_of_cards_that_are_refused(keys, message):
    with pytest.raises(NotSupportedError, match=f"voc-fcn8s: input 'data': {message}"):
        check_input(find("voc-fcn8s"), entry(**keys))
