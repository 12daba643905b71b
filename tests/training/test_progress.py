"""The live bar of a training run."""

from __future__ import annotations

import io
import logging

from rich.console import Console

import caffe
from caffe_fcn.cli import glog
from caffe_fcn.training.progress import Progress

NET = """net_param {
  layer { name: 'in' type: 'Input' top: 'x' top: 't' input_param { shape { dim: 1 dim: 2 } } }
  layer { name: 'fc' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param { num_output: 2 } }
  layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' } }
base_lr: 0.125 lr_policy: 'fixed' max_iter: 40 display: 20 snapshot_after_train: false
"""


def test_bar(tmp_path):
    (tmp_path / "solver.prototxt").write_text(NET)
    solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=140)
    with Progress(solver, console) as progress, glog.messages(progress.log_handler()):
        solver.step(30)
        progress.bar.refresh()
    shown = stream.getvalue()
    assert "30/40" in shown and "loss 0" in shown and "lr 0.125" in shown
    assert "solver.cpp:" in shown and "Iteration 20 (" in shown  # log lines stay above the bar
    assert "_AboveBar" not in {type(handler).__name__ for handler in logging.getLogger("caffe_fcn").handlers}


def test_resumed_run_starts_where_it_was(tmp_path):
    (tmp_path / "solver.prototxt").write_text(NET + f"snapshot_prefix: '{tmp_path}/s'")
    solver = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    solver.step(30)
    solver.snapshot()
    resumed = caffe.SGDSolver(str(tmp_path / "solver.prototxt"))
    progress = Progress(resumed, Console(file=io.StringIO()))
    resumed.restore(str(tmp_path / "s_iter_30.solverstate"))
    done = []
    samples = progress.bar.tasks[0]._progress
    resumed.add_listener(lambda event, facts: done.append(sum(sample.completed for sample in samples)))
    resumed.step(3)
    assert progress.bar.tasks[0].completed == 33
    assert done == [1, 2, 3]  # of which the rate is reckoned
