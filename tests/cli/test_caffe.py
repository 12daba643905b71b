"""The command `caffe`: flags, log lines, bad input, signals, losses that are not finite."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import caffe
from caffe_fcn import mode
from caffe_fcn.cli.caffe import main

DATA = """
layer { name: 'data' type: 'DummyData' top: 'data' top: 'label' dummy_data_param {
  shape { dim: 2 dim: 3 dim: 4 dim: 4 } shape { dim: 2 dim: 1 dim: 4 dim: 4 }
  data_filler { type: 'gaussian' std: 1 } data_filler { type: 'constant' value: 1 } } }
"""
NET = f"""
name: 'tiny'
{DATA}
layer {{ name: 'score' type: 'Convolution' bottom: 'data' top: 'score' convolution_param {{
  num_output: 3 kernel_size: 1 weight_filler {{ type: 'xavier' }} }} }}
layer {{ name: 'drop' type: 'Dropout' bottom: 'score' top: 'score' }}
layer {{ name: 'loss' type: 'SoftmaxWithLoss' bottom: 'score' bottom: 'label' top: 'loss' }}
layer {{ name: 'accuracy' type: 'Accuracy' bottom: 'score' bottom: 'label' top: 'accuracy' include {{ phase: TEST }} }}
"""
SOLVER = """net: 'net.prototxt' base_lr: 0.1 lr_policy: 'fixed' momentum: 0.9 max_iter: 6 display: 2
test_iter: 2 test_interval: 3 snapshot: 2 snapshot_prefix: 'snap' random_seed: 3
"""
FRONT = r"[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [\w.]+:\d+\] "


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Each test runs in a folder with a net and a solver file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mode, "_warned", False)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def write_solver(folder, **fields):
    """The solver file with some fields changed."""
    text = SOLVER
    for name, value in fields.items():
        text = re.sub(rf"\b{name}: \S+", "", text) + f"{name}: {value}\n"
    (folder / "solver.prototxt").write_text(text)


def logged(capfd, words):
    """Exit status and messages of a run, without their fronts; every line must have one."""
    status = main(words.split())
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("caffe_fcn: compiling")]
    assert all(re.match(FRONT, line) for line in lines if not line.startswith("caffe: ")), lines
    return status, [re.sub(FRONT, "", line) for line in lines]


@pytest.mark.parametrize("words", [
    "train -solver solver.prototxt", "train --solver=solver.prototxt", "--solver solver.prototxt train",
])
def test_train(folder, capfd, words):
    status, lines = logged(capfd, words)
    assert status == 0
    text = "\n".join(lines)
    for pattern in (
        r"^Solving tiny$", r"^Learning Rate Policy: fixed$", r"^Starting Optimization$",
        r"^Iteration 4 \(\S+ iter/s, \S+s/2 iters\), loss = \S+$", r"^Iteration 3, Testing net \(#0\)$",
        r"^    Train net output #0: loss = \S+ \(\* 1 = \S+ loss\)$", r"^    Test net output #0: accuracy = \S+$",
        r"^    Test net output #1: loss = \S+ \(\* 1 = \S+ loss\)$", r"^Iteration 4, lr = 0.1$",
        r"^Snapshotting to binary proto file snap_iter_6.caffemodel$", r"^Optimization Done\.$",
    ):
        assert re.search(pattern, text, re.MULTILINE), pattern
    assert (folder / "snap_iter_6.solverstate").exists()


def test_log_names_the_original_file(capfd):
    assert main(["train", "-solver", "solver.prototxt"]) == 0
    assert re.search(r"^I\d{4} \S+ +\d+ solver\.cpp:\d+\] Iteration 2 \(", capfd.readouterr().err, re.MULTILINE)


def test_resume_gives_the_same_bits(folder):
    assert main(["train", "-solver", "solver.prototxt"]) == 0
    whole = (folder / "snap_iter_6.caffemodel").read_bytes()
    for name in ("snap_iter_6.caffemodel", "snap_iter_6.solverstate"):
        (folder / name).unlink()
    assert main(["train", "-solver", "solver.prototxt", "-snapshot", "auto"]) == 0
    assert (folder / "snap_iter_6.caffemodel").read_bytes() == whole
    assert main(["train", "-solver", "solver.prototxt", "-snapshot=snap_iter_2.solverstate"]) == 0
    assert (folder / "snap_iter_6.caffemodel").read_bytes() == whole


def test_weights_and_keep(folder, capfd):
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    net.params["score"][0].data[...] = 7
    net.save("base.caffemodel")
    write_solver(folder, max_iter=4, base_lr=0)
    status, lines = logged(capfd, "train -solver solver.prototxt -weights base.caffemodel --keep=1")
    assert status == 0 and "Finetuning from base.caffemodel" in lines
    assert [path.name for path in folder.glob("*.solverstate")] == ["snap_iter_4.solverstate"]
    net.params["score"][0].data[...] = 0
    net.copy_from("snap_iter_4.caffemodel")
    assert (net.params["score"][0].data == 7).all()


def test_level_and_stage(folder, capfd):
    (folder / "net.prototxt").write_text(NET + "layer { name: 'more' type: 'Silence' bottom: 'data' "
                                               "include { stage: 'b' min_level: 2 } }")
    write_solver(folder, max_iter=1, test_interval=100)
    status, lines = logged(capfd, "train -solver solver.prototxt -level 2 -stage a,b")
    assert status == 0 and "Optimization Done." in lines
    assert "more" in caffe.Net("net.prototxt", caffe.TRAIN, level=2, stages=["b"]).layer_dict
    weights = caffe.proto.caffe_pb2.NetParameter.FromString((folder / "snap_iter_1.caffemodel").read_bytes())
    assert "more" in [layer.name for layer in weights.layer]


def test_test(capfd):
    caffe.Net("net.prototxt", caffe.TEST).save("w.caffemodel")
    status, lines = logged(capfd, "test -model net.prototxt -weights w.caffemodel -iterations 3 -gpu=0")
    assert status == 0
    losses = [float(line.split(" = ")[1]) for line in lines if re.match(r"Batch \d, loss = ", line)]
    assert len(losses) == 3
    total, = (float(line[6:]) for line in lines if line.startswith("Loss: "))
    assert total == pytest.approx(np.mean(losses), rel=1e-5)
    assert lines[-1].startswith("loss = ") and lines[-1].endswith(" loss)")
    assert sum("going on with the CPU" in line for line in lines) == 1


def test_time(capfd):
    status, lines = logged(capfd, "time --model=net.prototxt --iterations=2")
    assert status == 0
    text = "\n".join(lines)
    for pattern in (r"^\*\*\* Benchmark begins \*\*\*$", r"^Iteration: 2 forward-backward time: \S+ ms\.$",
                    r"^     score\tforward: \S+ ms\.$", r"^     score\tbackward: \S+ ms\.$",
                    r"^Average Forward-Backward: \S+ ms\.$", r"^Total Time: \S+ ms\.$",
                    r"^score +Convolution( +[\d.]+){6}$", r"^Forward pass: .* GFLOP/s"):
        assert re.search(pattern, text, re.MULTILINE), pattern


def test_device_query(capfd):
    status, lines = logged(capfd, "device_query -gpu all")
    assert status == 0 and any(line.startswith("Processor:") for line in lines)


@pytest.mark.parametrize(("words", "message"), [
    ("train", "need --solver"),
    ("train -solver none.prototxt", "there is no file 'none.prototxt'"),
    ("train -solvr solver.prototxt", "unknown flag '-solvr'"),
    ("trian -solver solver.prototxt", "unknown command 'trian'"),
    ("train more -solver solver.prototxt", "takes flags only, got 'more'"),
    ("train -solver solver.prototxt -snapshot a -weights b", "not both"),
    ("train -solver solver.prototxt -weights none.caffemodel", "there is no file 'none.caffemodel'"),
    ("train -solver solver.prototxt -sigint_effect later", "--sigint_effect is one of snapshot, stop, none"),
    ("train -solver solver.prototxt --on-nan=perhaps", "--on_nan is stop or continue"),
    ("train -solver solver.prototxt --keep=-1", "--keep is how many"),
    ("train -solver solver.prototxt --gpu=one", "--gpu is a number"),
    ("test -model net.prototxt", "need --weights"),
    ("test -weights w", "need --model"),
    ("time -model net.prototxt -phase NOW", "--phase is TRAIN or TEST"),
    ("time -model net.prototxt -iterations 0", "--iterations must be at least 1"),
])
def test_bad_input(capfd, words, message):
    (line,) = [line for line in logged(capfd, words)[1] if line.startswith("caffe: ")] or [""]
    assert message in line
    assert main(words.split()) == 1


def test_bad_solver_is_named_with_its_place(folder, capfd):
    write_solver(folder, snapshot_prefix="'no/such/folder/x'")
    for state in ([], ["-stage", "a"]):
        assert main(["train", "-solver", "solver.prototxt", *state]) == 1
        assert re.search(r"^caffe: solver\.prototxt:\d+:\d+: cannot write snapshots", capfd.readouterr().err,
                         re.MULTILINE)


BROKEN = NET.replace("layer { name: 'drop' type: 'Dropout' bottom: 'score' top: 'score' }", """
layer { name: 'grow' type: 'Power' bottom: 'score' top: 'grown' power_param { shift: 1e38 } }
layer { name: 'over' type: 'Power' bottom: 'grown' top: 'over' power_param { scale: 1e38 } }
""").replace("'SoftmaxWithLoss' bottom: 'score'", "'SoftmaxWithLoss' bottom: 'over'")


def test_loss_that_is_not_finite_stops(folder, capfd):
    write_solver(folder, max_iter=3, test_interval=100, test_initialization="false", snapshot=1)
    main(["train", "-solver", "solver.prototxt"])
    before = {path.name: path.read_bytes() for path in folder.glob("snap_*")}
    (folder / "net.prototxt").write_text(BROKEN)
    write_solver(folder, max_iter=9, test_interval=100, test_initialization="false", snapshot=1)
    capfd.readouterr()
    assert main(["train", "-solver", "solver.prototxt", "-snapshot", "auto"]) == 1
    error = capfd.readouterr().err.splitlines()[-1]
    assert "the loss is nan" in error and "top 'over' of layer 'over' (Power)" in error
    assert {path.name: path.read_bytes() for path in folder.glob("snap_*")} == before


def test_loss_that_is_not_finite_may_continue(folder):
    (folder / "net.prototxt").write_text(BROKEN)
    write_solver(folder, max_iter=2, test_interval=100, test_initialization="false")
    with np.errstate(all="ignore"):
        assert main(["train", "-solver", "solver.prototxt", "--on-nan", "continue"]) == 0
    assert (folder / "snap_iter_2.caffemodel").exists()


def start(words):
    """The command in a process of its own, and its environment's Python."""
    return subprocess.Popen([sys.executable, "-m", "caffe_fcn.cli.caffe", *words.split()], stderr=subprocess.PIPE,
                            text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="the system has no SIGHUP")
def test_signals(folder):
    write_solver(folder, max_iter=10**8, display=50, snapshot=0, test_interval=10**8)
    process = start("train -solver solver.prototxt")
    for line in process.stderr:  # wait until it trains
        if "Iteration 50 " in line:
            break
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    while not list(folder.glob("*.solverstate")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(list(folder.glob("*.solverstate"))) == 1 and process.poll() is None
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 0 and "Optimization stopped early." in rest
    assert len(list(folder.glob("*.solverstate"))) == 2


@pytest.mark.slow
def test_killed_at_any_moment(folder):
    """50 times SIGKILL; the run always goes on from a whole snapshot and ends with the same bits."""
    write_solver(folder, max_iter=2000, snapshot=20, test_interval=500)
    words = "train -solver solver.prototxt --snapshot=auto --keep=3 --nodoctor"
    (folder / "whole").mkdir()
    write_whole = (folder / "solver.prototxt").read_text().replace("'snap'", "'whole/snap'")
    (folder / "whole.prototxt").write_text(write_whole)
    main(words.replace("solver.prototxt", "whole.prototxt").split())
    rng = np.random.default_rng(5)
    for _ in range(50):
        process = start(words)
        for line in process.stderr:
            if "Iteration" in line:
                break
        time.sleep(rng.uniform(0, 0.04))
        process.kill()
        process.communicate()
        for state in folder.glob("*.solverstate"):
            assert os.path.exists(state.with_suffix(".caffemodel"))
    process = start(words)
    assert "Optimization Done." in process.communicate(timeout=120)[1]
    assert (folder / "snap_iter_2000.caffemodel").read_bytes() == (
        folder / "whole" / "snap_iter_2000.caffemodel").read_bytes()
