"""Several processes train as one does."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe_fcn.cli.caffe import main
from caffe_fcn.errors import ParallelError

COUNTED = """
import os, caffe

class Stop(caffe.Layer):
    def setup(self, bottom, top):
        self.passes = 0

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.passes += self.phase == caffe.TRAIN
        if self.passes == 3 and caffe.solver_rank() == 1:
            WHAT

    def backward(self, top, propagate_down, bottom):
        pass
"""
STOP = """
layer { name: 'stop' type: 'Python' bottom: 'y' top: 's' python_param { module: 'stop' layer: 'Stop' } }
layer { name: 'silence' type: 'Silence' bottom: 's' }
"""


def weights(file):
    net = caffe.proto.caffe_pb2.NetParameter.FromString(Path(file).read_bytes())
    return [np.array(blob.data) for layer in net.layer for blob in layer.blobs]


def run(folder, words="", wait=60):
    """`caffe train -gpu 0,1` in a process: its status and messages."""
    done = subprocess.run([sys.executable, "-m", "caffe_fcn.cli.caffe", "train", "-solver", "solver.prototxt",
                           "-gpu", "0,1", *words.split()], cwd=folder, capture_output=True, text=True, timeout=wait,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    return done.returncode, done.stderr


def test_two_processes_train_as_iter_size_2(write, capfd):
    assert main(["train", "-solver", "solver.prototxt", "-gpu", "0,1"]) == 0
    log = capfd.readouterr().err
    together = weights("snap_iter_6.caffemodel")
    for line in (r"Iteration 3, Testing net", r"Iteration 4 \(", r"Snapshotting to .*snap_iter_4.caffemodel"):
        assert len(re.findall(line, log)) == 1  # rank 0 alone
    write(iter_size=2)
    assert main(["train", "-solver", "solver.prototxt"]) == 0
    alone = weights("snap_iter_6.caffemodel")
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    write()
    assert main(["train", "-solver", "solver.prototxt"]) == 0
    assert any(abs(one - other).max() > 1e-3 for one, other in
               zip(together, weights("snap_iter_6.caffemodel"), strict=True))  # the other half of the rows counts


@pytest.mark.parametrize(("what", "message"), [
    ("raise caffe_fcn.errors.FormatError('bad record 7')", r"caffe: .*rank 1: .*bad record 7"),
    ("raise KeyError('cat')", r"caffe: .*rank 1: KeyError: 'cat'"),
    ("os._exit(9)", r"caffe: the process of rank 1 has ended unexpectedly"),
])
def test_a_worker_that_fails_ends_all(write, folder, what, message):
    (folder / "stop.py").write_text(COUNTED.replace("import os, ", "import os, caffe_fcn.errors, ")
                                    .replace("WHAT", what))
    write(STOP)
    start = time.monotonic()
    status, log = run(folder)
    assert status == 1 and re.search(message, log), log
    assert time.monotonic() - start < 30


def test_an_error_of_rank_0_ends_all(write, folder):
    (folder / "stop.py").write_text(COUNTED.replace("WHAT", "pass"))
    write(STOP, weights="'none.caffemodel'")
    status, log = run(folder)
    assert status == 1 and "caffe: " in log and "none.caffemodel" in log


def test_all_resume_from_the_snapshot_of_rank_0(write):
    words = ["train", "-solver", "solver.prototxt", "-snapshot", "snap_iter_4.solverstate"]
    assert main([*words[:3], "-gpu", "0,1"]) == 0
    assert main([*words, "-gpu", "0,1"]) == 0
    together = weights("snap_iter_6.caffemodel")
    write(iter_size=2)
    assert main(words) == 0
    for one, other in zip(together, weights("snap_iter_6.caffemodel"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_a_signal_stops_all_with_a_snapshot(write, folder):
    write(max_iter=10**6, test_interval=10**6, snapshot=0, display=100)
    process = subprocess.Popen([sys.executable, "-m", "caffe_fcn.cli.caffe", "train", "-solver", "solver.prototxt",
                                "-gpu", "0,1"], cwd=folder, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    assert process.stderr is not None
    log = ""
    while "Iteration 100 (" not in log:
        line = process.stderr.readline()
        assert line, log
        log += line
    os.killpg(process.pid, signal.SIGINT)  # as ctrl-C does: to all processes
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == 0 and "Optimization stopped early." in rest
    assert "Snapshotting to" in rest


SCRIPT = """
import sys
from multiprocessing import get_context
import caffe

def solve(proto, gpus, uid, rank):
    caffe.set_mode_gpu()
    caffe.set_device(gpus[rank])
    caffe.set_solver_count(len(gpus))
    caffe.set_solver_rank(rank)
    caffe.set_multiprocess(True)
    solver = caffe.SGDSolver(proto)
    nccl = caffe.NCCL(solver, uid)
    nccl.bcast()
    solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)
    solver.step(solver.param.max_iter)
    if rank == 0:
        solver.net.save('script.caffemodel')

if __name__ == '__main__':
    uid = caffe.NCCL.new_uid()
    context = get_context('fork')
    processes = [context.Process(target=solve, args=('solver.prototxt', [0, 1], uid, rank)) for rank in range(2)]
    for process in processes:
        process.daemon = True
        process.start()
    for process in processes:
        process.join()
    sys.exit(max(process.exitcode for process in processes))
"""


def test_a_script_with_a_process_for_each_solver(folder):
    assert main(["train", "-solver", "solver.prototxt", "-gpu", "0,1"]) == 0
    (folder / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], cwd=folder, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 0, done.stderr
    assert all((one == other).all() for one, other in
               zip(weights("snap_iter_6.caffemodel"), weights("script.caffemodel"), strict=True))


def test_another_rank_than_0_writes_no_snapshots(folder):
    caffe.set_solver_rank(1)
    try:
        solver = caffe.get_solver("solver.prototxt")
        solver.step(4)  # a snapshot and a test would be due
        assert not list(folder.glob("snap*"))
        with pytest.raises(ParallelError, match="the solver of rank 1 writes no snapshots"):
            solver.snapshot()
    finally:
        caffe.set_solver_rank(0)


@pytest.mark.parametrize("call", [lambda: caffe.set_solver_count(0), lambda: caffe.set_solver_rank(-1),
                                  lambda: caffe.NCCL(None, "name")])
def test_bad_arguments(call):
    with pytest.raises(ValueError, match=r"solver|uid"):
        call()
