"""Replay trainings of the original: a few from tests/data, all where the extra data is there."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import caffe

DATA = Path(__file__).parent.parent / "data"
# The original against itself, started 1e-7 apart, moves by up to 9e-6 of a blob's largest value.
RTOL, FLOOR, ATOL = 2e-4, 5e-5, 1e-7


def close(got, want):
    largest = np.abs(want[np.isfinite(want)]).max(initial=0) if want.size else 0
    np.testing.assert_allclose(got, want, RTOL, ATOL + FLOOR * largest)


class Replay:
    """The recording of one training, and our solver for it."""

    def __init__(self, path, text="solver"):
        self.case = np.load(path)
        self.groups = defaultdict(dict)
        for key in self.case.files:
            prefix, colon, rest = key.partition(":")
            if colon:
                self.groups[prefix][rest] = self.case[key]
        Path("replay.prototxt").write_text(str(self.case[text]))
        self.solver = caffe.get_solver("replay.prototxt")
        for key, value in self.groups["init"].items():
            self._param(key).data[...] = value
        if "mem" in self.groups:
            self.solver.net.set_input_arrays(self.groups["mem"]["data"], self.groups["mem"]["labels"])

    def _param(self, key):
        layer, _, index = key.rpartition(":")
        return self.solver.net.params[layer][int(index)]

    def at(self, group, iteration):
        for key, value in self.groups[group].items():
            number, _, name = key.partition(":")
            if int(number) == iteration:
                yield name, value

    def step(self, iteration, offset=0):
        """One iteration, compared; parameters are recorded under iteration + offset."""
        for blob, value in self.at("in", iteration):
            self.solver.net.blobs[blob].data[...] = value
        for _, value in self.at("lr", iteration):
            assert self.solver.lr == pytest.approx(float(value), rel=1e-5)
        self.solver.step(1)
        for _, value in self.at("loss", iteration):
            close(self.solver.net.blobs["loss"].data, value)
        self.compare_params(iteration + offset)

    def compare_params(self, iteration):
        for name, value in self.at("param", iteration):
            close(self._param(name).data, value)


def replay_training(path):
    replay = Replay(path)
    for iteration in range(int(replay.case["iters"])):
        replay.step(iteration)
    assert replay.solver.iter == int(replay.case["final_iter"])


def replay_snapshot(path, folder):
    """Resume from each recorded state, by solvers of both formats; write it again, and resume from that."""
    for file in path.parent.glob("*.*state*"), path.parent.glob("*.caffemodel*"), path.parent.glob("*.bin"):
        for name in file:
            shutil.copy(name, folder)
    case = np.load(path)
    if "state" in case:
        resumed(path, "solver", str(case["state"]))
        return
    state = next(name for name in json.loads(str(case["files"])) if name.endswith(".solverstate"))
    for text, ending in (("solver_bin", ""), ("solver_h5", ".h5"), ("solver_bin", ".h5")):
        resumed(path, text, state + ending)
        if text.endswith("bin") and ending:
            continue
        replay = Replay(path, text)
        replay.solver.restore(state + ending)
        replay.solver.snapshot()
        if not ending:
            written, original = (caffe.proto.caffe_pb2.SolverState.FromString(file.read_bytes())
                                 for file in (folder / state, path.parent / state))
            assert written == original
        resumed(path, text, state + ending)


def resumed(path, text, state):
    replay = Replay(path, text)
    replay.solver.restore(state)
    start = int(replay.case["k"])
    assert replay.solver.iter == start
    replay.compare_params(start)
    for iteration in range(start, start + int(replay.case["more"])):
        replay.step(iteration, offset=1)


def names(folder):
    return sorted(path.stem for path in (DATA / folder).glob("*.npz"))


@pytest.mark.parametrize("name", names("solvers"))
def test_training(name):
    replay_training(DATA / "solvers" / f"{name}.npz")


@pytest.mark.parametrize("name", names("snapshots"))
def test_snapshot(name, folder):
    replay_snapshot(DATA / "snapshots" / f"{name}.npz", folder)


def test_all_trainings(shared):
    for path in sorted((shared / "golden" / "solvers").glob("*.npz")):
        replay_training(path)


def test_all_snapshots(shared, folder):
    for path in sorted((shared / "golden" / "snapshots").glob("*.npz")):
        replay_snapshot(path, folder)


ROWS = json.loads((DATA / "solver_states.json").read_text())


@pytest.mark.parametrize("row", ROWS, ids=[str(i) for i in range(len(ROWS))])
def test_states_of_the_nets(row):
    Path("solver.prototxt").write_text(row["solver"])
    if "fail" in row:
        with pytest.raises(ValueError):
            caffe.get_solver("solver.prototxt")
        return
    solver = caffe.get_solver("solver.prototxt")
    assert list(solver.net._layer_names) == row["train"]
    assert [list(net._layer_names) for net in solver.test_nets] == row["tests"]
