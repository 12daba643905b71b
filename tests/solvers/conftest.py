"""Fixtures of the solver tests: a folder of their own, and a small net."""

import numpy as np
import pytest

import caffe

NET = """
layer { name: 'in' type: 'Input' top: 'x' top: 't' input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 2 } } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param {
  num_output: 2 weight_filler { type: 'constant' value: 0.5 } bias_filler { type: 'constant' value: -0.25 } } }
layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' }
"""
BASE = "base_lr: 0.1 lr_policy: 'fixed' snapshot_prefix: 's' "


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in an empty folder with the net in `net.prototxt`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path


@pytest.fixture
def make(folder):
    """`make(fields, net, **options)`: a solver of the small net (or of `net`), with inputs that do not change."""

    def build(fields="", net=None, base=BASE, **options):
        source = f"net_param {{ {net} }}" if net else "net: 'net.prototxt'"
        (folder / "solver.prototxt").write_text(f"{base} {fields}\n{source}\n")
        solver = caffe.get_solver("solver.prototxt", **options)
        for one in [solver.net, *solver.test_nets]:
            if "x" in one.blobs:
                one.blobs["x"].data[...] = np.arange(one.blobs["x"].count).reshape(one.blobs["x"].shape) / 6
        return solver

    return build
