"""Data layers of the family: found without a copy of their modules in each folder, a user's own first."""

from __future__ import annotations

import sys

import pytest

import caffe
import caffe_fcn_models
from caffe_fcn.errors import LayerError, MissingFileError

OWN = """
import caffe

class VOCSegDataLayer(caffe.Layer):
    def setup(self, bottom, top): raise ValueError("the user's own: " + self.param_str)
    def reshape(self, bottom, top): pass
"""
NET = """layer { name: "data" type: "Python" top: "data" top: "label"
  python_param { module: "voc_layers" layer: "%s" param_str: "{'split': 'val'}" } }"""


@pytest.fixture(autouse=True)
def no_strangers(monkeypatch):
    """Other tests import modules of these names from elsewhere, and shall not meet ours."""
    names = ("voc_layers", "nyud_layers", "siftflow_layers", "pascalcontext_layers")
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if not entry.endswith("examples")])
    yield
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(before)


@pytest.mark.parametrize(("name", "file", "path"), [
    ("voc-fcn8s", "val", "../data/pascal/VOC2011/ImageSets/Segmentation/seg11valid.txt"),
    ("voc-fcn8s", "train", "../data/sbd"), ("nyud-fcn32s-hha", "test", "../data/nyud/test.txt"),
    ("siftflow-fcn8s", "test", "../data/sift-flow/test.txt"), ("pascalcontext-fcn8s", "val", "../data/pascal"),
    ("pose-fcn32s", "train", "../data/lsp"), ("depth-fcn", "trainval", "../data/nyud/trainval.txt"),
    ("hed", "train_val", "../data/HED-BSDS/train_pair.lst"),
])  # fmt: skip
def test_layers_are_found_and_name_the_file_that_they_miss(name, file, path):
    with pytest.raises(MissingFileError, match=path):
        caffe.Net(str(caffe_fcn_models.folder(name) / f"{file}.prototxt"), caffe.TRAIN)


@pytest.mark.parametrize("beside", [True, False])
def test_a_module_of_the_user_comes_first(tmp_path, monkeypatch, beside):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.syspath_prepend(str(elsewhere))
    ((tmp_path if beside else elsewhere) / "voc_layers.py").write_text(OWN)
    (tmp_path / "net.prototxt").write_text(NET % "VOCSegDataLayer")
    with pytest.raises(ValueError, match=r"the user's own: \{'split': 'val'\}"):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)


def test_only_the_published_layers_have_a_stand_in(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET % "OtherLayer")
    with pytest.raises(LayerError, match="there is no module 'voc_layers'"):
        caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST)
