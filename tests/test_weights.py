"""Loading weight files by name: Caffe's rules for matching, and nothing written unless all fits."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest

from caffe_fcn.blob import Blob
from caffe_fcn.errors import CaffeFcnError, FormatError, MissingFileError, WeightsError
from caffe_fcn.formats import hdf5
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.weights import copy_weights

KEPT = -1  # what the blobs of a net hold before loading


class Layer:
    def __init__(self, name, *shapes, type="InnerProduct"):
        self.name, self.type = name, type
        self.blobs = [Blob(shape) for shape in shapes]
        for blob in self.blobs:
            blob.data[...] = KEPT

    @property
    def values(self):
        return [blob.data.tolist() for blob in self.blobs]


def save(path, *layers, **net):
    """Write a binary file from pairs (name, list of the fields of each blob)."""
    message = caffe_pb2.NetParameter(**net)
    for name, blobs in layers:
        message.layer.add(name=name, type="InnerProduct", blobs=[caffe_pb2.BlobProto(**blob) for blob in blobs])
    path.write_bytes(message.SerializeToString())
    return path


def blob(*shape, data=None):
    return {"shape": {"dim": shape}, "data": range(int(np.prod(shape))) if data is None else data}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "w.caffemodel"


def test_by_name(file):
    save(file, ("b", [blob(2), blob(1, 2)]), ("elsewhere", [blob(9)]), ("data", []))
    a, b, relu = Layer("a", (2,)), Layer("b", (2,), (1, 2)), Layer("relu", type="ReLU")
    report = copy_weights([a, b, relu], file)
    assert a.values == [[KEPT, KEPT]]
    assert b.values == [[0, 1], [[0, 1]]]
    assert report.copied == [("b", "InnerProduct", ((2,), (1, 2)))]
    assert report.skipped == [("elsewhere", "InnerProduct", ((9,),))]
    assert report.unfilled == [("a", "InnerProduct", ((2,),))]


def test_report_is_a_table_and_logged(file, caplog):
    save(file, ("conv", [blob(2, 1), blob()]), ("fc", [blob(9)]))
    with caplog.at_level(logging.INFO, "caffe_fcn"):
        report = copy_weights([Layer("conv", (2, 1), ()), Layer("score", (3,), type="Convolution")], file)
    assert str(report).splitlines() == [
        f"{file}: layers with weights: 1 copied, 1 only in the file, 1 only in the net",
        "  copied    conv   InnerProduct  2x1, scalar",
        "  skipped   fc     InnerProduct  9",
        "  unfilled  score  Convolution   3",
    ]
    assert str(report) in caplog.text


def test_weights_of_another_net_give_a_warning(file, caplog):
    save(file, ("elsewhere", [blob(2)]))
    with caplog.at_level(logging.WARNING, "caffe_fcn"):
        copy_weights([Layer("relu", type="ReLU")], file)
        assert not caplog.records
        copy_weights([Layer("a", (2,))], file)
    assert "0 copied, 1 only in the file, 1 only in the net" in caplog.text


def test_report_about_nothing(file):
    save(file)
    assert (
        str(copy_weights([], file)) == f"{file}: layers with weights: 0 copied, 0 only in the file, 0 only in the net"
    )


def test_of_equal_names_in_the_file_the_last_wins(file):
    save(file, ("a", [blob(1, data=[5])]), ("a", [blob(1, data=[6])]))
    a = Layer("a", (1,))
    report = copy_weights([a], file)
    assert a.values == [[6]]
    assert len(report.copied) == 1


def test_of_equal_names_in_the_net_the_first_is_filled(file):
    save(file, ("a", [blob(1)]))
    layers = [Layer("a", (1,)), Layer("a", (1,))]
    report = copy_weights(layers, file)
    assert [layer.values for layer in layers] == [[[0]], [[KEPT]]]
    assert report.unfilled == [("a", "InnerProduct", ((1,),))]


def test_of_equal_names_in_the_net_hdf5_fills_the_last(file):
    hdf5.write(file, ["a"], [[np.zeros(1, np.float32)]])
    layers = [Layer("a", (1,)), Layer("a", (1,))]
    copy_weights(layers, file)
    assert [layer.values for layer in layers] == [[[KEPT]], [[0]]]


LEGACY = {
    "leading ones": ((5, 4), {"num": 1, "channels": 1, "height": 5, "width": 4}, True),
    "wins over shape": ((5, 4), {"shape": {"dim": [9]}, "num": 1, "channels": 1, "height": 5, "width": 4}, True),
    "four axes": ((1, 5, 4, 1), {"num": 1, "channels": 5, "height": 4, "width": 1}, True),
    "trailing ones": ((5, 4), {"num": 5, "channels": 4, "height": 1, "width": 1}, False),
    "ones around": ((5, 4), {"num": 1, "channels": 5, "height": 4, "width": 1}, False),
    "one of the four": ((20,), {"width": 20}, False),
    "overrules a shape that fits": ((5, 4), {"shape": {"dim": [5, 4]}, "num": 1}, False),
    "five axes": ((1, 1, 1, 5, 4), {"num": 1, "channels": 1, "height": 5, "width": 4}, False),
}


@pytest.mark.parametrize("case", LEGACY)
def test_legacy_shapes(file, case):
    shape, fields, accepted = LEGACY[case]
    save(file, ("a", [{**fields, "data": range(20)}]))
    a = Layer("a", shape)
    if accepted:
        copy_weights([a], file)
        np.testing.assert_array_equal(a.blobs[0].data.ravel(), np.arange(20))
    else:
        with pytest.raises(WeightsError, match="its shape is"):
            copy_weights([a], file)


def test_doubles_are_rounded_once(file):
    save(file, ("a", [{"shape": {"dim": [3]}, "double_data": [0.1, 1e300, 1 + 2**-24]}]))
    a = Layer("a", (3,))
    copy_weights([a], file)
    assert a.values == [[np.float32(0.1), np.inf, 1]]


def test_diffs_are_loaded(file):
    save(file, ("a", [{**blob(2), "diff": [7, 8]}]))
    a = Layer("a", (2,))
    copy_weights([a], file)
    assert a.blobs[0].diff.tolist() == [7, 8]


REFUSED = {
    "other shape": ([blob(2, 3)], "blob 0: its shape is 2x3 in the file, but 3x2 in the net"),
    "no shape": ([{"data": range(6)}], "blob 0: its shape is scalar in the file, but 3x2 in the net"),
    "too few values": ([blob(3, 2, data=range(5))], "blob 0: the file has 5 values for the shape 3x2"),
    "too many values": ([blob(3, 2, data=range(7))], "blob 0: the file has 7 values for the shape 3x2"),
    "too few diffs": ([{**blob(3, 2), "diff": [1]}], "blob 0: the file has 1 diffs for the shape 3x2"),
    "too many blobs": (
        [blob(3, 2), blob(3)],
        r"has 2 blobs \(3x2, 3\) in the file, but 1 blob \(3x2\) in the net\. .*rename it in the prototxt",
    ),
    "too few blobs": ([], r"has 0 blobs in the file, but 1 blob \(3x2\) in the net"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_files_change_nothing(file, case):
    """The layer that fits comes first in the file, and still nothing of it is written."""
    blobs, words = REFUSED[case]
    save(file, ("good", [blob(2)]), ("bad", blobs))
    good, bad = Layer("good", (2,)), Layer("bad", (3, 2))
    with pytest.raises(WeightsError, match=rf"w\.caffemodel: layer 'bad',? {words}"):
        copy_weights([good, bad], file)
    assert good.values == [[KEPT, KEPT]]
    assert (bad.blobs[0].data == KEPT).all()


def test_blobs_for_a_layer_without_params(file):
    save(file, ("relu", [blob(2)]))
    with pytest.raises(WeightsError, match=r"layer 'relu' has 1 blob \(2\) in the file, but 0 blobs in the net"):
        copy_weights([Layer("relu", type="ReLU")], file)


def test_shared_blobs_may_lack_in_hdf5(file):
    """Those of the owner are there; the same file is refused by a net that does not share."""
    one = np.ones(2, np.float32)
    hdf5.write(file, ["a", "b"], [[one], [one, one]], shared=lambda i, j: (i, j) == (1, 0))
    a, b = Layer("a", (2,)), Layer("b", (2,), (2,))
    with pytest.raises(WeightsError, match=r"layer 'b' has 2 blobs \(none, 2\) in the file, but 2 blobs"):
        copy_weights([a, b], file)
    copy_weights([a, b], file, shared=lambda i, j: (i, j) == (1, 0))
    assert [a.values, b.values] == [[[1, 1]], [[KEPT, KEPT], [1, 1]]]


def test_shared_blobs_may_not_lack_in_binary(file):
    save(file, ("b", []))
    with pytest.raises(WeightsError, match="has 0 blobs in the file"):
        copy_weights([Layer("b", (2,))], file, shared=lambda i, j: True)


def test_layers_that_share_all_are_not_unfilled(file):
    save(file, ("a", [blob(2)]))
    report = copy_weights([Layer("a", (2,)), Layer("b", (2,))], file, shared=lambda i, j: i == 1)
    assert report.unfilled == []


def test_format_is_known_by_content(tmp_path):
    hdf5.write(tmp_path / "w.caffemodel", ["a"], [[np.ones(1, np.float32)]])
    save(tmp_path / "w.h5", ("a", [blob(1)]))
    a = Layer("a", (1,))
    copy_weights([a], tmp_path / "w.caffemodel")
    assert a.values == [[1]]
    copy_weights([a], tmp_path / "w.h5")
    assert a.values == [[0]]


def test_hdf5_shapes_are_compared_exactly(file):
    hdf5.write(file, ["a"], [[np.ones((1, 1, 5, 4), np.float32)]])
    with pytest.raises(WeightsError, match="1x1x5x4 in the file, but 5x4 in the net"):
        copy_weights([Layer("a", (5, 4))], file)


def test_names_are_not_split_at_commas(file):
    save(file)
    with pytest.raises(MissingFileError, match="there is no file"):
        copy_weights([], f"{file},{file}")


def test_damaged_file_changes_nothing(file):
    save(file, ("a", [blob(1)]), ("b", [blob(1)]))
    file.write_bytes(file.read_bytes()[:-1])
    a = Layer("a", (1,))
    with pytest.raises(FormatError, match="byte"):
        copy_weights([a], file)
    assert a.values == [[KEPT]]


def test_recordings_of_the_original(shared, tmp_path, monkeypatch):
    """All recorded loads: the same parameters afterwards, or refused where the original dies."""
    from caffe_fcn.net import Net

    monkeypatch.chdir(shared / "golden" / "caffemodels")
    wrong = []
    for recording in sorted(Path().glob("load_*.npz")):
        case = np.load(recording)
        (tmp_path / "net.prototxt").write_text(str(case["net"]))
        net = Net(str(tmp_path / "net.prototxt"), int(case["phase"]))
        try:
            for name in json.loads(str(case["load"])):
                net.copy_from(name)
            accepted = True
        except CaffeFcnError:
            accepted = False
        same = True
        for key in (key for key in case.files if key.startswith("expect:")):
            _, layer, index = key.split(":")
            same &= np.array_equal(net.params[layer][int(index)].data, case[key])
        if accepted == bool(case["fail"]) or not same:
            wrong.append(recording.stem)
    assert not wrong
