"""The fused updates against the reference."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_fcn.ops.reference import ReferenceOps, update
from caffe_fcn.ops.reference.update import Step

RULES = [update.Sgd(0.01, 0.9), update.Nesterov(0.01, 0.9), update.Adam(0.01, 0.9, 0.999, 1e-8),
         update.RmsProp(0.01, 0.98, 1e-8), update.AdaGrad(0.01, 1e-8), update.AdaDelta(1.0, 0.95, 1e-6)]
SLOTS = {update.Adam: 2, update.AdaDelta: 2}
STEPS = [Step(), Step(0.25, 0.1), Step(1.0, 0.3, "L1")]


def state(rule, dtype):
    """Values, gradient, history."""
    random = np.random.default_rng(7)
    arrays = [random.normal(size=301).astype(dtype) for _ in range(2 + SLOTS.get(type(rule), 1))]
    arrays[0][:3] = 0, -0.0, 1
    return [*arrays[:2], [np.abs(array) for array in arrays[2:]]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", STEPS, ids=str)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_fused_and_reference_agree(kernels, rule, step, dtype):
    want, got = state(rule, dtype), state(rule, dtype)
    for _ in range(3):
        ReferenceOps().update(step, rule, *want)
        kernels.update(step, rule, *got)
    assert (kernels.launches, kernels.waits) == (3, 0)
    for right, value in zip((*want[:2], *want[2]), (*got[:2], *got[2]), strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-5 if dtype is np.float32 else 1e-13, atol=1e-7)


def test_a_rule_of_the_user_runs_on_the_device(kernels):
    def halve(xp, grad, history):
        grad *= 0.5

    values, grad = np.ones(4), np.full(4, 2.0)
    kernels.update(Step(scale=2.0), halve, values, grad, [])
    assert (values.tolist(), grad.tolist(), kernels.launches) == ([-1] * 4, [2] * 4, 0)
