"""Snapshots: names, both formats, resuming, what a failure leaves behind, and what goes beyond the original."""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe_fcn.errors import DivergedError, FileAccessError, FormatError, MissingFileError, WeightsError
from caffe_fcn.formats import solverstate
from caffe_fcn.solvers import run_state

DATA = Path(__file__).parent.parent / "data"
FORMATS = {"BINARYPROTO": "", "HDF5": ".h5"}


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def params(solver):
    return [blob.data.copy() for blobs in solver.net.params.values() for blob in blobs]


def same(one, other):
    return all((a == b).all() for a, b in zip(one, other, strict=True))


NAMING = json.loads((DATA / "snapshots" / "file_naming.json").read_text())


@pytest.mark.parametrize("row", NAMING, ids=[str(i) for i in range(len(NAMING))])
def test_names_of_the_files(row, tmp_path, monkeypatch):
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    os.makedirs("some.dir/deep")
    os.makedirs("conf")
    net = (tmp_path / "net.prototxt").read_text()
    Path(row["solver_file"]).write_text(f"{row['solver_fields']} net_param {{ {net} }}")
    if row["exit"]:
        with pytest.raises(FileAccessError):
            caffe.get_solver(row["solver_file"]).solve()
        return
    caffe.get_solver(row["solver_file"]).solve()
    assert files(folder) == row["files"]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("type_", ["SGD", "Adam"])
def test_resumed_run_equals_an_uninterrupted_one(type_, format_, make):
    fields = f"type: '{type_}' momentum: 0.9 snapshot_format: {format_}"
    first = make(fields)
    first.step(3)
    first.snapshot()
    first.step(4)
    second = make(fields)
    second.restore(f"s_iter_3.solverstate{FORMATS[format_]}")
    assert second.iter == 3
    second.step(4)
    assert same(params(first), params(second))
    assert same([h.data for h in first.history], [h.data for h in second.history])


def test_solve_resumes(make):
    make("max_iter: 3").solve()
    solver = make("max_iter: 5")
    solver.solve("s_iter_3.solverstate")
    assert solver.iter == 5


def test_learned_net_is_as_written(make):
    solver = make(base="base_lr: 1 lr_policy: 'fixed' snapshot_prefix: './s'")
    solver.snapshot()
    assert solverstate.read("s_iter_0.solverstate").learned_net == "./s_iter_0.caffemodel"


def test_state_without_weights_restores_iteration_and_history_only(make):
    solver = make("momentum: 0.9")
    message = caffe.proto.caffe_pb2.SolverState(iter=7)
    for blob in solver.history:
        history = message.history.add()
        history.shape.dim.extend(blob.shape)
        history.data.extend([2] * blob.count)
    Path("bare.solverstate").write_bytes(message.SerializeToString())
    before = params(solver)
    solver.restore("bare.solverstate")
    assert solver.iter == 7 and same(before, params(solver))
    assert (solver.history[0].data == 2).all()


def test_snapshot_diff(make):
    solver = make("snapshot_diff: true")
    solver.step(1)
    solver.snapshot()
    net = caffe.proto.caffe_pb2.NetParameter.FromString(Path("s_iter_1.caffemodel").read_bytes())
    stored = next(layer for layer in net.layer if layer.name == "fc").blobs[0]
    np.testing.assert_array_equal(stored.diff, solver.net.params["fc"][0].diff.ravel())


# failures

def broken(make, name):
    """A state file with something wrong; the expected exception and words."""
    solver = make("momentum: 0.9")
    solver.step(2)
    solver.snapshot()
    state = Path("s_iter_2.solverstate")
    content = state.read_bytes()
    if name == "missing":
        return "nofile.solverstate", MissingFileError, "no file 'nofile.solverstate'"
    if name == "weights missing":
        os.unlink("s_iter_2.caffemodel")
        return state, MissingFileError, "names the weights 's_iter_2.caffemodel', which are not there"
    if name == "weights of another net":
        text = Path("net.prototxt").read_text().replace("dim: 3", "dim: 4")
        Path("other.prototxt").write_text(text)
        caffe.Net("other.prototxt", caffe.TEST).save("s_iter_2.caffemodel")
        return state, WeightsError, "2x4"
    if name == "truncated":
        state.write_bytes(content[:-20])
        return state, FormatError, "cut short"
    if name == "garbage":
        state.write_bytes(b"\xff" * 50)
        return state, FormatError, "byte 0"
    if name == "weights as state":
        return "s_iter_2.caffemodel", WeightsError, "history of 0 arrays, but this SGD solver has 2"
    if name == "other solver":
        make("type: 'Adam'").snapshot()
        return "s_iter_0.solverstate", WeightsError, "history of 4 arrays"
    if name == "binary named h5":
        os.rename(state, "s.h5")
        return "s.h5", FormatError, "HDF5"
    make("snapshot_format: HDF5").snapshot()
    os.rename("s_iter_0.solverstate.h5", "h5.solverstate")
    return "h5.solverstate", FormatError, "must end with '.h5'"


@pytest.mark.parametrize("name", ["missing", "weights missing", "weights of another net", "truncated", "garbage",
                                  "weights as state", "other solver", "binary named h5", "h5 named binary"])
def test_refused_state_leaves_the_solver_unchanged(name, make):
    file, error, message = broken(make, name)
    solver = make("momentum: 0.9")
    solver.step(1)
    before = params(solver)
    history = [h.data.copy() for h in solver.history]
    with pytest.raises(error, match=message):
        solver.restore(file)
    assert solver.iter == 1 and same(before, params(solver)) and same(history, [h.data for h in solver.history])


def test_history_of_another_shape_is_taken_but_not_used(make):
    """The original takes such a file too, and then reads past its end."""
    solver = make("momentum: 0.9")
    solverstate.write("odd.solverstate", 3, "", [np.zeros(5, np.float32), np.zeros(2, np.float32)], 0)
    message = caffe.proto.caffe_pb2.SolverState.FromString(Path("odd.solverstate").read_bytes())
    message.ClearField("learned_net")
    Path("odd.solverstate").write_bytes(message.SerializeToString())
    solver.restore("odd.solverstate")
    with pytest.raises(WeightsError, match="history 0 has another number of values"):
        solver.step(1)


def test_full_disk_leaves_the_previous_pair(make, folder, monkeypatch):
    solver = make()
    solver.step(1)
    solver.snapshot()
    before = {name: (folder / name).read_bytes() for name in files(folder)}

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileAccessError, match=r"cannot write 's_iter_1\.caffemodel': No space left on device.*"
                                              r"the last one is 's_iter_1\.solverstate'"):
        solver.snapshot()
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_state_is_written_after_the_weights_it_names(make, folder, monkeypatch):
    solver = make()

    def killed(*args, **kwargs):
        assert (folder / "s_iter_0.caffemodel").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(solverstate, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        solver.snapshot()
    assert not (folder / "s_iter_0.solverstate").exists()


# beyond the original

def test_only_the_newest_snapshots_are_kept(make, folder):
    solver = make("snapshot: 1", snapshot_keep=2)
    solver.step(3)
    kept = [name for name in files(folder) if name.startswith("s_iter")]
    assert kept == [f"s_iter_{i}.{kind}" for i in (2, 3) for kind in ("caffemodel", "solverstate")]


def test_snapshots_of_others_are_not_removed(make, folder):
    (folder / "s_iter_0.solverstate").write_text("mine")
    make("snapshot: 1", snapshot_keep=1).step(2)
    assert (folder / "s_iter_0.solverstate").read_text() == "mine"


TEST_NET = """
layer { name: 'in' type: 'Input' top: 'score' input_param { shape { dim: 1 } } include { phase: TEST } }
layer { name: 'p' type: 'Parameter' top: 'p' parameter_param { shape { dim: 1 } } }
"""


@pytest.mark.parametrize(("sense", "scores", "want"), [
    ("max", [1, 3, 2, float("nan")], 2), ("min", [2, 3, 1, 4], 3)])
def test_best_weights(sense, scores, want, make):
    solver = make("test_iter: 1 test_interval: 1", TEST_NET, keep_best=f"{sense}:score")
    for i, score in enumerate(scores, 1):
        solver.net.params["p"][0].data[...] = i
        solver.test_nets[0].blobs["score"].data[...] = score
        solver.step(1)
    solver.net.copy_from("s_best.caffemodel")
    assert solver.net.params["p"][0].data[0] == want


def test_best_of_an_unknown_output(make):
    with pytest.raises(ValueError, match=r"no output 'acc' \(it has p, score\)"):
        make("test_iter: 1 test_interval: 1", TEST_NET, keep_best="max:acc")


def test_best_without_a_test_net(make):
    with pytest.raises(ValueError, match="needs a test net"):
        make(keep_best="max:score")


def test_resumed_run_knows_the_best_score(make, folder):
    fields = "test_iter: 1 test_interval: 1"
    first = make(fields, TEST_NET, keep_best="max:score", run_state=True)
    first.test_nets[0].blobs["score"].data[...] = 3
    first.step(1)
    first.snapshot()
    best = (folder / "s_best.caffemodel").read_bytes()
    second = make(fields, TEST_NET, keep_best="max:score", run_state=True)
    second.restore("s_iter_1.solverstate")
    second.net.params["p"][0].data[...] = 7
    for score, is_better in ((2, False), (4, True)):
        second.test_nets[0].blobs["score"].data[...] = score
        second.step(1)
        assert ((folder / "s_best.caffemodel").read_bytes() != best) == is_better


def test_no_snapshot_of_parameters_that_are_not_finite(make, folder):
    solver = make("snapshot: 1", stop_on_nan=True, snapshot_keep=1)
    solver.step(1)
    before = files(folder)
    solver.param.base_lr = float("inf")
    with pytest.raises(DivergedError, match=r"iteration 2: parameter 0 of layer 'fc' \(InnerProduct\) .* no snapshot"):
        solver.step(1)
    assert files(folder) == before and "s_iter_1.solverstate" in before


NOISY = """
layer { name: 'in' type: 'Python' top: 'x' top: 't' python_param { module: 'noisy_data' layer: 'Data' } }
layer { name: 'drop' type: 'Dropout' bottom: 'x' top: 'd' }
layer { name: 'fc' type: 'InnerProduct' bottom: 'd' top: 'y' inner_product_param { num_output: 2 } }
layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' }
"""
LAYER = """
import random
import numpy as np
import caffe
class Data(caffe.Layer):
    def setup(self, bottom, top): self.position = 0
    def reshape(self, bottom, top):
        top[0].reshape(2, 3)
        top[1].reshape(2, 2)
    def forward(self, bottom, top):
        self.position += 1
        top[0].data[...] = self.position + np.random.rand(2, 3)
        top[1].data[...] = random.random()
    def backward(self, top, propagate_down, bottom): pass
    def run_state(self): return {"position": self.position}
    def set_run_state(self, state): self.position = state["position"]
"""


def test_run_state_makes_random_training_repeatable(make, folder):
    (folder / "noisy_data.py").write_text(LAYER)
    first = make("momentum: 0.9", NOISY, run_state=True)
    first.step(3)
    first.snapshot()
    first.step(3)
    np.random.seed(0)
    random.seed(0)
    caffe.set_random_seed(1)
    second = make("momentum: 0.9", NOISY)
    second.restore("s_iter_3.solverstate")  # finds the run state by itself
    second.step(3)
    assert second.net.layers[0].position == 6
    assert same(params(first), params(second))
    (folder / "s_iter_3.runstate").unlink()
    third = make("momentum: 0.9", NOISY)
    third.restore("s_iter_3.solverstate")
    third.step(3)
    assert not same(params(first), params(third))


@pytest.mark.parametrize(("content", "message"), [
    ("no json", "Expecting value"), ("{}", "version"), ('{"version": 9}', "version 9"), ("[]", "list")])
def test_damaged_run_state(content, message, make):
    solver = make(run_state=True)
    solver.snapshot()
    Path("s_iter_0.runstate").write_text(content)
    with pytest.raises(FormatError, match=message):
        solver.restore("s_iter_0.solverstate")


def test_run_state_of_another_net(make, folder):
    (folder / "noisy_data.py").write_text(LAYER)
    make("", NOISY, run_state=True).snapshot()
    content = json.loads(Path("s_iter_0.runstate").read_text())
    solver = make()
    solver.snapshot()
    Path("s_iter_0.runstate").write_text(json.dumps(content))
    with pytest.raises(FormatError, match="layer 'in' of the net takes no run state"):
        solver.restore("s_iter_0.solverstate")


def test_run_state_of_an_earlier_run_does_not_outlive_its_snapshot(make, folder):
    make(run_state=True).snapshot()
    make().snapshot()
    assert not (folder / "s_iter_0.runstate").exists()


def test_run_state_lies_beside_both_formats():
    assert run_state.path_beside("a/s_iter_3.solverstate") == run_state.path_beside("a/s_iter_3.solverstate.h5")
