"""The learning rate policies."""

import math

import pytest

from caffe_fcn.proto import caffe_pb2, text
from caffe_fcn.solvers.lr_policy import LearningRate


def rate(fields):
    return LearningRate(text.parse(fields, caffe_pb2.SolverParameter()))


@pytest.mark.parametrize(("fields", "iteration", "want"), [
    ("lr_policy: 'fixed'", 7, 0.5),
    ("lr_policy: 'step' stepsize: 3 gamma: 0.1", 0, 0.5),
    ("lr_policy: 'step' stepsize: 3 gamma: 0.1", 2, 0.5),
    ("lr_policy: 'step' stepsize: 3 gamma: 0.1", 6, 0.005),
    ("lr_policy: 'step' stepsize: 1", 1, 0),  # gamma is 0 if it is not given
    ("lr_policy: 'exp' gamma: 0.9", 10, 0.5 * 0.9**10),
    ("lr_policy: 'inv' gamma: 0.2 power: 0.75", 5, 0.5 * 2**-0.75),
    ("lr_policy: 'poly' power: 2 max_iter: 10", 5, 0.125),
    ("lr_policy: 'poly' power: 2 max_iter: 10", 20, 0.5),  # grows again past the end
    ("lr_policy: 'poly' power: 0.5 max_iter: 10", 11, math.nan),
    ("lr_policy: 'sigmoid' gamma: 1 stepsize: 4", 4, 0.25),
    ("lr_policy: 'sigmoid' gamma: 1 stepsize: 4", 6, 0.5 / (1 + math.exp(-2))),
    ("lr_policy: 'exp' gamma: 1e38", 1000, math.inf),
])
def test_rate(fields, iteration, want):
    assert rate("base_lr: 0.5 " + fields)(iteration) == pytest.approx(want, rel=1e-6, nan_ok=True)


def test_multistep_catches_up_one_step_per_evaluation():
    multistep = rate("base_lr: 1 lr_policy: 'multistep' gamma: 0.5 stepvalue: 2 stepvalue: 2 stepvalue: 9")
    assert [multistep(i) for i in (0, 1, 2, 3, 4, 9)] == [1, 1, 0.5, 0.25, 0.25, 0.125]
    assert multistep.current_step == 3


def test_step_follows_the_iteration_whatever_the_counter_said():
    step = rate("base_lr: 1 lr_policy: 'step' gamma: 0.5 stepsize: 2")
    step.current_step = 7
    assert step(4) == 0.25
    assert step.current_step == 2


def test_reading_lr_moves_the_counter(make):
    solver = make(base="base_lr: 1 lr_policy: 'multistep' gamma: 0.5 stepvalue: 0 stepvalue: 0")
    assert [solver.lr, solver.lr, solver.lr] == [0.5, 0.25, 0.25]
