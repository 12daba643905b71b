"""Fillers: exact values, statistics, refusals, memory."""

import math

import numpy as np
import pytest

from caffe_fcn import mode
from caffe_fcn.blob import Blob
from caffe_fcn.errors import LayerError
from caffe_fcn.fillers import fill
from caffe_fcn.memory import Head
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse


def filled(shape, text, dtype=np.float32):
    mode.set_random_seed(11)
    blob = Blob(shape, dtype)
    fill(blob, parse(text, caffe_pb2.FillerParameter()))
    return blob.data


# filler, shape, lowest, highest (None: unbounded), mean, standard deviation
STATISTICS = {
    "uniform": ("type: 'uniform'", (300, 400), 0, 1, 0.5, 12 ** -0.5),
    "uniform_range": ("type: 'uniform' min: -3 max: 0.5", (300, 400), -3, 0.5, -1.25, 3.5 / 12 ** 0.5),
    "gaussian": ("type: 'gaussian' mean: 1.5 std: 0.25", (300, 400), None, None, 1.5, 0.25),
    "gaussian_sparse": ("type: 'gaussian' std: 2 sparse: 30", (300, 400), None, None, 0, 2 * 0.1 ** 0.5),
    "unitball": ("type: 'positive_unitball'", (50, 2000), 0, 0.0011, 1 / 2000, 1 / 2000 / 3 ** 0.5),
    "xavier": ("type: 'xavier'", (40, 30, 5, 5), -(3 / 750) ** 0.5, (3 / 750) ** 0.5, 0, 750 ** -0.5),
    "xavier_out": ("type: 'xavier' variance_norm: FAN_OUT", (40, 30, 5, 5), -(3 / 1000) ** 0.5, (3 / 1000) ** 0.5, 0,
                   1000 ** -0.5),
    "xavier_average": ("type: 'xavier' variance_norm: AVERAGE", (40, 30, 5, 5), -(3 / 875) ** 0.5, (3 / 875) ** 0.5, 0,
                       875 ** -0.5),
    "xavier_1d": ("type: 'xavier'", (50_000,), -3 ** 0.5, 3 ** 0.5, 0, 1),
    "msra": ("type: 'msra'", (40, 30, 5, 5), None, None, 0, (2 / 750) ** 0.5),
    "msra_out": ("type: 'msra' variance_norm: FAN_OUT", (40, 30, 5, 5), None, None, 0, (2 / 1000) ** 0.5),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("text", "shape", "low", "high", "mean", "std"), STATISTICS.values(), ids=STATISTICS)
def test_statistics(text, shape, low, high, mean, std, dtype):
    data = filled(shape, text, dtype)
    assert data.dtype == dtype
    assert data.mean() == pytest.approx(mean, abs=5 * std / data.size ** 0.5)
    assert data.std() == pytest.approx(std, rel=0.02)
    if low is not None:
        assert low <= data.min() <= data.max() <= np.float32(high)


def test_constant():
    assert filled((2, 3), "").tolist() == [[0] * 3] * 2
    assert filled((2,), "value: -2.5").tolist() == [-2.5, -2.5]
    assert filled((), "value: 3").tolist() == 3


def test_zero_touches_no_fresh_memory_but_overwrites_values():
    blob = Blob((10_000, 10_000))
    fill(blob, caffe_pb2.FillerParameter())
    assert blob.memories[0].head is Head.NONE
    blob = Blob((2,))
    blob.data[...] = 5
    fill(blob, caffe_pb2.FillerParameter())
    assert blob.data.tolist() == [0, 0]


def test_rows_of_the_unit_ball_add_up_to_1():
    np.testing.assert_allclose(filled((7, 5, 3), "type: 'positive_unitball'").sum((1, 2)), 1, 1e-5)


def test_sparse_keeps_that_many_per_output_on_average():
    assert (filled((300, 400), "type: 'gaussian' sparse: 10") != 0).mean() == pytest.approx(10 / 300, rel=0.05)
    assert not filled((3, 4), "type: 'gaussian' sparse: 0").any()


@pytest.mark.parametrize(("size", "line"), [
    (1, [1]), (2, [0.5, 0.5]), (3, [0.5, 1, 0.5]), (4, [0.25, 0.75, 0.75, 0.25]),
    (5, [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]),
])
def test_bilinear(size, line):
    np.testing.assert_allclose(filled((2, 3, size, size), "type: 'bilinear'"),
                               np.broadcast_to(np.outer(line, line), (2, 3, size, size)), 1e-6)


def test_the_seed_decides():
    assert np.array_equal(filled((9,), "type: 'gaussian'"), filled((9,), "type: 'gaussian'"))


@pytest.mark.parametrize("kind", ["uniform", "gaussian", "positive_unitball", "xavier", "msra"])
def test_empty_and_single_blobs(kind):
    assert filled((0, 3), f"type: '{kind}'").size == 0
    assert filled((3, 0), f"type: '{kind}'").size == 0
    assert math.isfinite(filled((1,), f"type: '{kind}'")[0])
    if kind in ("uniform", "gaussian"):
        assert filled((), f"type: '{kind}'").shape == ()


def test_equal_bounds_are_fine():
    assert filled((2,), "type: 'uniform' min: 2 max: 2").tolist() == [2, 2]


@pytest.mark.parametrize(("text", "shape", "message"), [
    ("type: 'Gaussian'", (3,), "unknown filler type 'Gaussian'; did you mean 'gaussian'"),
    ("type: 'normal'", (3,), "unknown filler type 'normal'"),
    ("type: ''", (3,), "unknown filler type ''; there are bilinear, constant"),
    ("sparse: 3", (3,), "only the 'gaussian' filler can be 'sparse'"),
    ("type: 'xavier' sparse: 3", (3,), "only the 'gaussian' filler can be 'sparse'"),
    ("type: 'gaussian' sparse: -3", (3,), "'sparse' must be at least 0"),
    ("type: 'gaussian' sparse: 4", (3, 9), "at most the number of outputs, got 4 for 3"),
    ("type: 'gaussian' std: 0", (3,), "'std' must be above 0, got 0"),
    ("type: 'gaussian' std: nan", (3,), "'std' must be above 0, got nan"),
    ("type: 'uniform' min: 2 max: 1", (3,), "'min' must not be above 'max', got 2.0 and 1.0"),
    ("type: 'bilinear'", (3, 4), r"4 axes\), got the shape \(3, 4\)"),
    ("type: 'bilinear'", (1, 1, 3, 4), "square"),
    ("type: 'msra'", (), "at least one axis"),
])
def test_refused(text, shape, message):
    with pytest.raises(LayerError, match=message):
        filled(shape, text)
