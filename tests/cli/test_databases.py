"""convert_imageset, compute_image_mean and extract_features."""

from __future__ import annotations

import os
import re
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe_fcn.cli import compute_image_mean, convert_imageset, extract_features
from caffe_fcn.formats import datum, mean
from caffe_fcn.formats.database import open_reader
from caffe_fcn.proto import caffe_pb2

needs_plyvel = pytest.mark.skipif(find_spec("plyvel") is None, reason="needs plyvel")
RNG = np.random.default_rng(0)
IMAGES = [RNG.integers(0, 256, (4, 5, 3), dtype=np.uint8) for _ in range(3)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("img")
    for i, image in enumerate(IMAGES):
        Image.fromarray(image).save(f"img/{i}.png")
    (tmp_path / "list.txt").write_text("0.png 5\n1.png 6\n2.png 7\n")
    return tmp_path


def convert(*flags, status=0, database="db"):
    shutil.rmtree(database, ignore_errors=True)
    assert convert_imageset.main([*flags, "img/", "list.txt", database]) == status
    backend = "leveldb" if "-backend=leveldb" in flags else "lmdb"
    return {key.decode(): caffe_pb2.Datum.FromString(value) for key, value in open_reader(backend, database).records()}


@pytest.mark.parametrize("flags", [[], pytest.param(["-backend=leveldb"], marks=needs_plyvel)])
def test_raw(flags):
    datums = convert(*flags)
    assert list(datums) == ["00000000_0.png", "00000001_1.png", "00000002_2.png"]
    for i, message in enumerate(datums.values()):
        np.testing.assert_array_equal(datum.to_array(message, ""), IMAGES[i].transpose(2, 0, 1)[::-1])
        assert message.label == 5 + i and not message.encoded and message.HasField("encoded")


def test_names_that_are_no_utf8(folder):
    os.rename("img/0.png", b"img/\xff.png")
    (folder / "list.txt").write_bytes(b"\xff.png 5\n")
    assert convert_imageset.main(["img/", "list.txt", "db"]) == 0
    assert [key for key, _ in open_reader("lmdb", "db").records()] == [b"00000000_\xff.png"]


def test_gray_and_resized():
    def shapes(*flags):
        return {(d.channels, d.height, d.width) for d in convert(*flags).values()}

    assert shapes("--gray", "--resize_height=2") == {(1, 4, 5)}
    assert shapes("--resize_width", "6", "-resize_height", "2") == {(3, 2, 6)}


def test_encoded(folder):
    stored = (folder / "img" / "0.png").read_bytes()
    for flags in (["--encoded"], ["--encode_type=PNG"], ["--encoded", "--gray"]):  # the file, whatever its colours
        message = convert(*flags)["00000000_0.png"]
        assert message.encoded and message.data == stored and not message.HasField("channels")
    assert convert("--encode_type=jpg")["00000000_0.png"].data[:2] == b"\xff\xd8"
    small = convert("--encoded", "--resize_height=2", "--resize_width=2")["00000000_0.png"]
    assert datum.to_array(small, "").shape == (3, 2, 2)


def test_shuffle():
    orders = {tuple(d.label for d in convert("--shuffle").values()) for _ in range(20)}
    assert len(orders) > 1 and all(sorted(order) == [5, 6, 7] for order in orders)


def test_images_that_cannot_be_read_are_left_out(folder, capsys):
    (folder / "img" / "0.png").write_bytes(b"junk")
    os.remove("img/2.png")
    assert list(convert(status=1)) == ["00000001_1.png"]
    error = capsys.readouterr().err
    assert "list.txt:1: image 'img/0.png': not an image file" in error and "list.txt:3: there is no file" in error
    assert "left out 2" in error


def test_no_database_without_images(folder, capsys):
    shutil.rmtree("img")
    assert convert_imageset.main(["img/", "list.txt", "db"]) == 1
    assert "none of the images of 'list.txt' can be read" in capsys.readouterr().err
    assert not os.path.exists("db")


def test_check_size(folder, capsys):
    Image.new("RGB", (9, 9)).save("img/1.png")
    assert convert_imageset.main(["--check_size", "img/", "list.txt", "db"]) == 1
    assert "list.txt:2: '1.png' has 243 bytes, the images before it have 60" in capsys.readouterr().err
    assert not os.path.exists("db")


@pytest.mark.parametrize("arguments", [["img/", "list.txt"], ["img/", "none.txt", "db"], ["img/", "list.txt", "img"],
                                       ["--backend=x", "img/", "list.txt", "db"]])
def test_bad_arguments(arguments, capsys):
    assert convert_imageset.main(arguments) == 1
    assert capsys.readouterr().err and not os.path.exists("db")


def test_labels_with_a_palette_are_left_out(capsys):
    palette = Image.fromarray(np.zeros((4, 5), np.uint8))
    palette.putpalette([128, 0, 0])
    palette.save("img/0.png")
    assert len(convert("--gray", status=1)) == 2
    assert "has a palette" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [[], ["--encoded"]])
def test_compute_image_mean(flags, capsys):
    convert(*flags)
    assert compute_image_mean.main(["db", "mean.binaryproto"]) == 0
    expected = np.mean([image.transpose(2, 0, 1)[::-1] for image in IMAGES], axis=0)
    np.testing.assert_allclose(mean.read("mean.binaryproto"), expected, rtol=1e-6)
    assert f"mean_value channel [0]: {expected[0].mean():g}" in capsys.readouterr().err


def test_compute_image_mean_of_different_sizes(capsys):
    Image.new("RGB", (9, 9)).save("img/1.png")
    convert()
    assert compute_image_mean.main(["db", "mean.binaryproto"]) == 1
    assert "record 1 of 'db' has the shape (3, 9, 9), those before have (3, 4, 5)" in capsys.readouterr().err
    assert not os.path.exists("mean.binaryproto")
    assert compute_image_mean.main(["--backend=x", "db"]) == 1
    assert compute_image_mean.main(["none"]) == 1


NET = """
layer { name: 'd' type: 'Data' top: 'data' top: 'label' data_param { source: 'db' backend: LMDB batch_size: 2 } }
layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c' convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: 'f' type: 'Flatten' bottom: 'c' top: 'f' }
"""


@pytest.fixture
def weights(folder):
    convert()
    (folder / "net.prototxt").write_text(NET)
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.params["c"][0].data[...] = RNG.normal(size=(4, 3, 3, 3))
    net.save("w.caffemodel")
    return "w.caffemodel"


@pytest.mark.parametrize("backend", ["lmdb", pytest.param("leveldb", marks=needs_plyvel)])
def test_extract_features(weights, backend):
    assert extract_features.main([weights, "net.prototxt", "c,f", "c_db,f_db", "2", backend, "CPU"]) == 0
    net = caffe.Net("net.prototxt", weights, caffe.TEST)
    rows = np.concatenate([net.forward() and net.blobs["c"].data.copy() for _ in range(2)])
    for name, shape in (("c", (4, 2, 3)), ("f", (24, 1, 1))):
        records = list(open_reader(backend, f"{name}_db").records())
        assert [key for key, _ in records] == [b"0000000000", b"0000000001", b"0000000002", b"0000000003"]
        for (_, value), row in zip(records, rows, strict=True):
            message = caffe_pb2.Datum.FromString(value)
            assert (message.channels, message.height, message.width) == shape and not message.HasField("label")
            np.testing.assert_array_equal(np.float32(message.float_data), row.ravel())


@pytest.mark.parametrize(("change", "message"), [
    ({2: "c,f"}, "2 blob.* and 1 database"),
    ({2: "x"}, "the net has no blob 'x'; it has data, label, c, f"),
    ({2: "c,f", 3: "out,out"}, "each database needs a name of its own, got out,out"),
    ({3: "db"}, "'db' exists already"),
    ({4: "-1"}, "unknown flag"),
    ({4: "many"}, "whole number, got 'many'"),
    ({5: "x"}, "lmdb or leveldb, got 'x'"),
    ({6: "TPU"}, "the device is 'CPU', 'GPU'"),
    ({1: "none.prototxt"}, "none.prototxt"),
    ({0: "none.caffemodel"}, "none.caffemodel"),
])
def test_extract_features_errors(change, message, weights, capsys):
    arguments = [weights, "net.prototxt", "c", "out", "1", "lmdb", "CPU"]
    for index, value in change.items():
        arguments[index] = value
    capsys.readouterr()
    assert extract_features.main(arguments) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not os.path.exists("out")
