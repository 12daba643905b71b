"""Solver updates on the CPU: the bits of the reference, for any rule and any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_fcn
from caffe_fcn import ops
from caffe_fcn.ops.reference import ReferenceOps
from caffe_fcn.ops.reference.update import AdaDelta, AdaGrad, Adam, Nesterov, RmsProp, Sgd, Step

RULES = [(Sgd(0.01, 0.9), 1), (Sgd(1e-10, 0.99), 1), (Nesterov(0.01, 0.9), 1), (Adam(0.01, 0.9, 0.999, 1e-8), 2),
         (RmsProp(0.01, 0.98, 1e-8), 1), (AdaGrad(0.1, 1e-8), 1), (AdaDelta(1.0, 0.95, 1e-6), 2)]
STEPS = [Step(), Step(1 / 3), Step(1, 0.0005), Step(0.5, 0.1, "L1")]


def arrays(size, dtype, slots):
    """Values, gradient and history, with a few numbers that are not finite, and a zero with a sign."""
    random = np.random.default_rng(size)
    values, grad, *history = random.standard_normal((2 + slots, size)).astype(dtype)
    if size > 3:
        values[0], values[2], grad[1], grad[2] = np.inf, 0, np.nan, -0.0
    return [values, grad, *(np.abs(kept) for kept in history)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0, 5, 100_003])
@pytest.mark.parametrize(("rule", "slots"), RULES, ids=lambda value: type(value).__name__)
def test_the_bits_are_those_of_the_reference(rule, slots, size, dtype):
    for step in STEPS:
        want, got = arrays(size, dtype, slots), arrays(size, dtype, slots)
        for operations, (values, grad, *history) in ((ReferenceOps(), want), (ops.cpu_ops(), got)):
            with np.errstate(all="ignore"):
                operations.update(step, rule, values, grad, history)
        assert [array.tobytes() for array in got] == [array.tobytes() for array in want], step


@pytest.mark.parametrize(("rule", "slots"), [RULES[1], RULES[3]], ids=["kernel", "pieces"])
def test_threads_do_not_change_the_bits_nor_warn(rule, slots, recwarn):
    results = []
    for threads in (1, 3):
        caffe_fcn.set_num_threads(threads)
        try:
            values, grad, *history = arrays(200_001, np.float32, slots)
            with np.errstate(all="ignore"):
                ops.cpu_ops().update(Step(1, 0.0005), rule, values, grad, history)
        finally:
            caffe_fcn.set_num_threads(None)
        results.append([array.tobytes() for array in (values, grad, *history)])
    assert results[0] == results[1]
    assert not recwarn


def test_a_rule_of_the_user_runs_in_the_thread_of_the_caller():
    import threading

    callers = set()

    def rule(xp, grad, history):
        callers.add(threading.get_ident())

    values, grad = np.zeros((2, 200_000), np.float32)
    ops.cpu_ops().update(Step(), rule, values, grad, [])
    assert callers == {threading.get_ident()}
