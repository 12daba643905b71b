"""A folder with rows to train on, a net that reads them, and a solver."""

import functools

import h5py
import numpy as np
import pytest

from caffe_fcn import mode

NET = """
layer { name: 'data' type: 'HDF5Data' top: 'x' top: 't' include { phase: TRAIN }
  hdf5_data_param { source: 'list.txt' batch_size: 2 } }
layer { name: 'all' type: 'HDF5Data' top: 'x' top: 't' include { phase: TEST }
  hdf5_data_param { source: 'list.txt' batch_size: 12 } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'x' top: 'h' inner_product_param {
  num_output: 4 weight_filler { type: 'xavier' } } }
layer { name: 'tanh' type: 'TanH' bottom: 'h' top: 'h' }
layer { name: 'out' type: 'InnerProduct' bottom: 'h' top: 'y' inner_product_param {
  num_output: 2 weight_filler { type: 'xavier' } } }
EXTRA
layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' }
"""
SOLVER = {"net": "'net.prototxt'", "base_lr": 0.05, "lr_policy": "'step'", "stepsize": 3, "gamma": 0.5,
          "momentum": 0.9, "weight_decay": 0.001, "max_iter": 6, "display": 2, "snapshot": 4,
          "snapshot_prefix": "'snap'", "random_seed": 3, "test_iter": 1, "test_interval": 3}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder with `net.prototxt`, `solver.prototxt` and data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mode, "_warned", False)
    generator = np.random.default_rng(5)
    for name in ("a", "b"):  # 14 rows: shares and batches run on over the ends of files
        with h5py.File(f"{name}.h5", "w") as file:
            file["x"], file["t"] = generator.normal(size=(7, 3)), generator.normal(size=(7, 2))
    (tmp_path / "list.txt").write_text("a.h5\nb.h5\n")
    _write(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder):
    """`write(extra, **fields)`: the net with further layers before the loss, the solver with other fields."""
    return functools.partial(_write, folder)


def _write(folder, extra="", **fields):
    (folder / "net.prototxt").write_text(NET.replace("EXTRA", extra))
    (folder / "solver.prototxt").write_text("".join(f"{name}: {value}\n" for name, value in (SOLVER | fields).items()))
