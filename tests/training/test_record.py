"""Records of training runs, their report, and the comparison of several."""

from __future__ import annotations

import json
import os
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe_fcn.cli.caffe import main
from caffe_fcn.errors import FormatError, MissingFileError
from caffe_fcn.evaluation.confusion import Scores, confusion
from caffe_fcn.training.record import Record
from caffe_fcn.training.runs import load

NET = """
layer { name: 'data' type: 'DummyData' top: 'data' top: 'label' dummy_data_param {
  shape { dim: 2 dim: 3 dim: 6 dim: 8 } shape { dim: 2 dim: 1 dim: 6 dim: 8 }
  data_filler { type: 'gaussian' std: 1 } data_filler { type: 'uniform' min: 0 max: 2.99 } } }
layer { name: 'score' type: 'Convolution' bottom: 'data' top: 'score' convolution_param {
  num_output: 3 kernel_size: 1 weight_filler { type: 'xavier' } } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'score' bottom: 'label' top: 'loss'
  loss_param { ignore_label: 0 normalization: NONE } }
layer { name: 'accuracy' type: 'Accuracy' bottom: 'score' bottom: 'label' top: 'accuracy' top: 'each'
  accuracy_param { ignore_label: 0 } include { phase: TEST } }
"""
SOLVER = """net: 'net.prototxt' base_lr: 0.001 lr_policy: 'step' stepsize: 4 gamma: 0.5 max_iter: 6
test_iter: 2 test_interval: 3 snapshot: 2 snapshot_prefix: 's' random_seed: 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a run of 6 iterations, recorded in `a`."""
    where = tmp_path_factory.mktemp("finished")
    (where / "net.prototxt").write_text(NET)
    (where / "solver.prototxt").write_text(SOLVER)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        caffe.Net("net.prototxt", caffe.TRAIN).save("w.caffemodel")
        run("train -solver solver.prototxt -weights w.caffemodel --record a")
    return where


@pytest.fixture
def recorded(folder, finished):
    """The record `a` of a run of 6 iterations, with all else of that run, in the folder of the test."""
    shutil.copytree(finished, folder, dirs_exist_ok=True)
    return folder / "a"


def run(words):
    assert main(words.split()) == 0


def test_events(recorded):
    found = load("a")
    assert [event["iter"] for event in found.iterations] == [1, 2, 3, 4, 5, 6]
    assert [event["iter"] for event in found.tests] == [0, 3, 6]
    assert found.series("lr")[1].tolist() == pytest.approx([1e-3] * 4 + [5e-4] * 2)
    iterations, per_label = found.losses_per_label()["loss"]
    assert iterations.tolist() == [1, 2, 3, 4, 5, 6]
    assert (per_label > 0.5).all() and (per_label < 3).all()  # of a sum over some 64 of 96 labels
    ratio = found.series("loss")[1] / per_label
    assert ((ratio > 40) & (ratio < 96)).all() and np.allclose(ratio, ratio.round(), atol=1e-3)
    assert {"accuracy", "each", "loss", "mean iu", "pixel accuracy"} <= set(found.scores())
    assert found.end["error"] is None and found.end["layers"][0]["name"] == "data"


def test_loss_and_scores_are_those_of_the_net(folder):
    solver = caffe.get_solver("solver.prototxt")
    matrix = np.zeros((3, 3), int)
    net = solver.test_nets[0]

    def look(i):
        nonlocal matrix
        if i == len(net.layers) - 1:
            labels = net.blobs["label"].data[:, 0].astype(int)
            matrix += confusion(np.where(labels == 0, -1, labels), net.blobs["score"].data.argmax(1), 3)

    net.after_forward(look)
    with Record(solver, "r"):
        solver.step(1)
        loss = float(solver.net.blobs["loss"].data)
        labelled = int((solver.net.blobs["label"].data.astype(int) != 0).sum())
    found = load("r")
    assert found.iterations[0]["loss"] == pytest.approx(loss)
    assert found.iterations[0]["loss_per_label"]["loss"] == pytest.approx(loss / labelled)
    assert found.segmentation()["confusion"] == matrix.tolist()
    assert found.segmentation()["mean_iu"] == pytest.approx(Scores(matrix).mean_iu)


def test_provenance(recorded):
    facts = json.loads((recorded / "run.json").read_text())
    assert list(facts["weights"]) == ["w.caffemodel"] and len(facts["weights"]["w.caffemodel"]) == 64
    assert facts["versions"]["numpy"] == np.__version__ and facts["machine"]["threads"] >= 1
    assert "base_lr: 0.001" in (recorded / "solver.prototxt").read_text()
    for name in ("train_net", "test_net_0"):
        assert "score" in caffe.Net(str(recorded / f"{name}.prototxt"), caffe.TEST).blobs


def test_weights_that_the_solver_file_names(recorded, folder):
    (folder / "solver.prototxt").write_text(SOLVER + "weights: 'w.caffemodel, s_iter_6.caffemodel'")
    with Record(caffe.get_solver("solver.prototxt"), "r", ["s_iter_4.caffemodel"]):
        pass
    assert list(load("r").facts["weights"]) == ["w.caffemodel", "s_iter_6.caffemodel", "s_iter_4.caffemodel"]


def test_report_stands_alone(recorded):
    page = (recorded / "report.html").read_text()
    for word in ("Loss per labelled position", "Learning rate", "mean iu", "Confusion matrix", "Time per layer",
                 "data:image/png;base64,", "ended as planned", "base_lr: 0.001", "w.caffemodel"):
        assert word in page, word
    assert page.count("<svg") == 3
    for link in ("src=\"http", "href=\"http", "<script", "<link"):
        assert link not in page
    with Image.open(recorded / "samples.png") as picture:
        assert picture.size == (3 * 8, 2 * 6)  # frame, truth, prediction; a frame of each of 2 batches


def test_resumed_run_goes_on(recorded, folder):
    for name in ("s_iter_6.caffemodel", "s_iter_6.solverstate"):
        (folder / name).unlink()
    before = load("a")
    with (recorded / "events.jsonl").open("a") as file:
        file.write('{"event": "iteration", "iter": 7, "lo')  # killed while writing
    assert load("a").iterations == before.iterations
    run("train -solver solver.prototxt -snapshot auto --record a")
    after = load("a")
    assert [event["iter"] for event in after.iterations] == [1, 2, 3, 4, 5, 6]
    assert after.series("loss")[1].tolist() == before.series("loss")[1].tolist()


def test_damaged(recorded):
    text = (recorded / "events.jsonl").read_text()
    (recorded / "events.jsonl").write_text("what?\n" + text)
    with pytest.raises(FormatError, match=r"events\.jsonl:1: not an event"):
        load("a")


@pytest.mark.parametrize(("broken", "iteration"), [("_say", 0), ("_report", 6)])
def test_full_disk_ends_the_record_but_not_the_training(broken, iteration, monkeypatch, caplog):
    def full(self, *args):
        raise OSError(28, "No space left on device")

    solver = caffe.get_solver("solver.prototxt")
    with Record(solver, "full"):
        monkeypatch.setattr(Record, broken, full)
        solver.solve()
    assert solver.iter == 6
    (warning,) = [entry.getMessage() for entry in caplog.records if "record" in entry.getMessage()]
    assert warning == f"The record 'full' ends at iteration {iteration}, the training goes on: No space left on device"


def test_a_failed_run_says_why(folder):
    solver = caffe.get_solver("solver.prototxt")
    with pytest.raises(RuntimeError), Record(solver, "r"):
        raise RuntimeError("no more")
    assert load("r").end["error"] == "RuntimeError: no more"
    assert "no more" in (folder / "r" / "report.html").read_text()


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_plot(recorded, folder, ending):
    shutil.copytree("a", "b")
    run(f"plot a b --output=both.{ending}")
    if ending == "png":
        with Image.open("both.png") as picture:
            assert picture.width > 500
    else:
        text = (folder / "both.svg").read_text()
        ElementTree.fromstring(text)
        assert "smoothed loss" in text and "mean iu" in text


def test_report_again(recorded, folder):
    run("plot a --output=again.html")
    assert (folder / "again.html").read_text() == (recorded / "report.html").read_text()


@pytest.mark.parametrize(("words", "message"), [
    ("plot", "needs the folders"), ("plot none", "'none' is no record"), ("plot a --output=a.gif", "must end with"),
    ("plot a b --output=a.html", "a report shows one run"),
    ("train -solver solver.prototxt --record net.prototxt/x", "cannot write the record"),
])
def test_refused(capfd, words, message):
    assert main(words.split()) == 1
    assert message in capfd.readouterr().err.splitlines()[-1]


def test_no_record():
    with pytest.raises(MissingFileError, match=r"no events\.jsonl"):
        load(os.curdir)
