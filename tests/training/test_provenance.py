"""What a record says about the data of a run."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe_fcn.training.provenance import checksums, class_names, data_files, python_settings

LAYER = """
import caffe
class Frames(caffe.Layer):
    def setup(self, bottom, top):
        top[0].reshape(1)
    reshape = forward = backward = lambda self, *_: None
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_checksums(folder):
    (folder / "a").write_bytes(b"1")
    (folder / "db").mkdir()
    for name in ("data.mdb", "lock.mdb"):
        (folder / "db" / name).write_bytes(b"2")
    assert checksums(["a", "db", "a"]) == {"a": digest(b"1"), "db": digest(b"data.mdb\0", b"2", b"lock.mdb\0")}


def test_files_that_nets_name(folder):
    (folder / "frames.py").write_text(LAYER)
    lists = folder / "voc" / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "val.txt").write_text("a\n")
    (folder / "voc" / "classes.txt").write_text("sky\nroad\n")
    matrix = caffe.proto.caffe_pb2.BlobProto(data=np.eye(2).ravel())
    matrix.shape.dim.extend((2, 2))
    (folder / "h.binaryproto").write_bytes(matrix.SerializeToString())
    (folder / "net.prototxt").write_text("""
layer { name: 'd' type: 'Python' top: 'n' python_param { module: 'frames' layer: 'Frames'
  param_str: "{'voc_dir': 'voc', 'split': 'val', 'other': 'not there'}" } }
layer { name: 'i' type: 'Input' top: 'x' top: 'l' input_param { shape { dim: 1 dim: 2 } shape { dim: 1 } } }
layer { name: 'h' type: 'InfogainLoss' bottom: 'x' bottom: 'l' top: 'h'
  infogain_loss_param { source: 'h.binaryproto' } }
""")
    net = caffe.Net("net.prototxt", caffe.TEST)
    assert list(data_files(net)) == [Path("voc/ImageSets/Segmentation/val.txt"), Path("h.binaryproto")]
    assert class_names([net]) == ["sky", "road"]


@pytest.mark.parametrize("text", ["", "[1]", "{'a': ", "__import__('os').getcwd()"])
def test_other_settings(text):
    assert python_settings(text) == {}
