"""Solver states in both formats."""

from pathlib import Path

import numpy as np
import pytest

from caffe_fcn.errors import FormatError, MissingFileError
from caffe_fcn.formats import solverstate
from caffe_fcn.proto import caffe_pb2

DATA = Path(__file__).parent.parent / "data" / "snapshots"
HISTORY = [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32([7]), np.zeros((), np.float32)]


@pytest.fixture(params=["s.solverstate", "s.solverstate.h5"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_round_trip(path):
    solverstate.write(path, 300, "wéights.caffemodel", HISTORY, 4)
    state = solverstate.read(path)
    assert (state.iter, state.learned_net, state.current_step) == (300, "wéights.caffemodel", 4)
    for stored, array in zip(state.history, HISTORY, strict=True):
        np.testing.assert_array_equal(stored.data.reshape(stored.shape), array)


def test_empty_history(path):
    solverstate.write(path, 0, "w", [], 0)
    assert solverstate.read(path) == (0, "w", [], 0)


def test_binary_is_what_the_original_writes(tmp_path):
    original = DATA / "adam_iter_6.solverstate"
    state = solverstate.read(original)
    history = [blob.data.reshape(blob.shape) for blob in state.history]
    solverstate.write(tmp_path / "s", state.iter, state.learned_net, history, state.current_step)
    assert (tmp_path / "s").read_bytes() == original.read_bytes()


def test_hdf5_is_what_the_original_writes(tmp_path):
    h5py = pytest.importorskip("h5py")
    original = DATA / "sgd_shared_iter_4.solverstate.h5"
    state = solverstate.read(original)
    history = [blob.data.reshape(blob.shape) for blob in state.history]
    solverstate.write(tmp_path / "s.h5", state.iter, state.learned_net, history, state.current_step)
    with h5py.File(original) as want, h5py.File(tmp_path / "s.h5") as got:
        assert sorted(got) == sorted(want) and sorted(got["history"]) == sorted(want["history"])
        for key in ("iter", "current_step", "history/0"):
            assert got[key].dtype == want[key].dtype
            np.testing.assert_array_equal(got[key][()], want[key][()])
        assert got["learned_net"].id.get_type() == want["learned_net"].id.get_type()  # size and zero byte included
        assert got["learned_net"][()] == want["learned_net"][()]


def test_absent_fields(tmp_path):
    (tmp_path / "s").write_bytes(caffe_pb2.SolverState(iter=-3).SerializeToString())
    assert solverstate.read(tmp_path / "s") == (-3, None, [], 0)


def test_missing():
    with pytest.raises(MissingFileError, match=r"nowhere\.solverstate"):
        solverstate.read("nowhere.solverstate")


def hdf5(kind):
    def build(file):
        if kind == "no history":
            file["iter"] = [1]
        elif kind == "wrong keys":
            file["history/7"] = [1.0]
        elif kind == "group in history":
            file.create_group("history/0")
        elif kind == "two iterations":
            file.create_group("history")
            file["iter"] = [1, 2]
        elif kind == "strings":
            file["history/0"] = [b"text"]
        else:
            import h5py

            file.create_group("history")["0"] = h5py.ExternalLink("elsewhere.h5", "/x")

    return build


@pytest.mark.parametrize(("kind", "message"), [
    ("no history", "no group 'history'"), ("wrong keys", "0, 1, 2"), ("group in history", "0, 1, 2"),
    ("two iterations", "'iter' holds 2 values"), ("strings", "not an array of numbers"), ("link", "0, 1, 2")])
def test_damaged_hdf5(kind, message, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "s.h5", "w") as file:
        hdf5(kind)(file)
    with pytest.raises(FormatError, match=message):
        solverstate.read(tmp_path / "s.h5")


def test_every_cut_of_a_binary_state_is_read_or_refused(tmp_path):
    content = (DATA / "adam_iter_6.solverstate").read_bytes()
    for length in range(len(content)):
        (tmp_path / "s").write_bytes(content[:length])
        try:
            solverstate.read(tmp_path / "s")
        except FormatError:
            continue
