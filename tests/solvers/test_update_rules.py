"""The update rules against their formulas, and what reaches them."""

import numpy as np
import pytest

from caffe_fcn.memory import Head
from caffe_fcn.ops.cpu import update as cpu_update

RATE, DELTA = 0.1, 1e-4


def sgd(g, s, t):
    s["v"] = 0.9 * s.get("v", 0) + RATE * g
    return s["v"]


def nesterov(g, s, t):
    before = s.get("v", 0)
    s["v"] = 0.9 * before + RATE * g
    return 1.9 * s["v"] - 0.9 * before


def adagrad(g, s, t):
    s["h"] = s.get("h", 0) + g * g
    return RATE * g / (np.sqrt(s["h"]) + DELTA)


def rmsprop(g, s, t):
    s["h"] = 0.98 * s.get("h", 0) + 0.02 * g * g
    return RATE * g / (np.sqrt(s["h"]) + DELTA)


def adadelta(g, s, t):
    s["h"] = 0.9 * s.get("h", 0) + 0.1 * g * g
    update = g * np.sqrt((s.get("u", 0) + DELTA) / (s["h"] + DELTA))
    s["u"] = 0.9 * s.get("u", 0) + 0.1 * update * update
    return RATE * update


def adam(g, s, t):
    s["m"] = 0.9 * s.get("m", 0) + 0.1 * g
    s["v"] = 0.99 * s.get("v", 0) + 0.01 * g * g
    return RATE * np.sqrt(1 - 0.99**t) / (1 - 0.9**t) * s["m"] / (np.sqrt(s["v"]) + DELTA)


RULES = {
    "SGD": (sgd, "momentum: 0.9"),
    "Nesterov": (nesterov, "momentum: 0.9"),
    "AdaGrad": (adagrad, "delta: 1e-4"),
    "RMSProp": (rmsprop, "delta: 1e-4 rms_decay: 0.98"),
    "AdaDelta": (adadelta, "delta: 1e-4 momentum: 0.9"),
    "Adam": (adam, "delta: 1e-4 momentum: 0.9 momentum2: 0.99"),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("piece", [1 << 15, 4], ids=["whole", "in pieces"])
def test_rule(name, piece, make, monkeypatch):
    monkeypatch.setattr(cpu_update, "PIECE", piece)
    rule, fields = RULES[name]
    solver = make(f"type: '{name}' {fields}")
    blob, state, random = solver.net.params["fc"][0], {}, np.random.default_rng(3)
    want = blob.data.astype(float)
    for t in range(1, 4):
        blob.diff[...] = random.standard_normal(blob.shape)
        update = rule(blob.diff.astype(float), state, t)
        want -= update
        solver.apply_update()
        np.testing.assert_allclose(blob.data, want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(blob.diff, update, rtol=1e-5, atol=1e-6)  # the update stays in the diff
    assert solver.iter == 3


@pytest.mark.parametrize(("kind", "want"), [("L2", [-1, 0, 1]), ("L1", [-0.5, 0, 0.5])])
def test_weight_decay(kind, want, make):
    solver = make(f"weight_decay: 0.5 regularization_type: '{kind}'", base="base_lr: 1 lr_policy: 'fixed'")
    weights = solver.net.params["fc"][0]
    weights.data[0] = [-2, 0, 2]
    solver.apply_update()
    np.testing.assert_allclose(weights.diff[0], want)


@pytest.mark.parametrize(("limit", "want"), [(-1, [3, 4]), (10, [3, 4]), (5, [3, 4]), (1, [0.6, 0.8]), (0, [0, 0])])
def test_clipping_is_by_the_norm_of_all_gradients(limit, want, make):
    solver = make(f"clip_gradients: {limit}", base="base_lr: 1 lr_policy: 'fixed'")
    weights, bias = solver.net.params["fc"]
    weights.diff[0, 0], bias.diff[0] = 3, 4
    solver.apply_update()
    np.testing.assert_allclose([weights.diff[0, 0], bias.diff[0]], want, rtol=1e-6)


def test_clipping_sees_the_sum_over_iter_size_and_not_the_decay(make):
    solver = make("clip_gradients: 1 iter_size: 2 weight_decay: 100", base="base_lr: 1 lr_policy: 'fixed'")
    weights = solver.net.params["fc"][0]
    weights.data[...] = 0
    solver.net.params["fc"][1].data[...] = 0
    weights.diff[0, 0] = 4
    solver.apply_update()
    assert weights.diff[0, 0] == 0.5  # 4, clipped to 1, over two passes


def test_gradient_is_the_mean_over_iter_size(make):
    one, four = make(), make("iter_size: 4")
    one.step(3)
    four.step(3)
    np.testing.assert_allclose(four.net.params["fc"][0].data, one.net.params["fc"][0].data, rtol=1e-6)
    assert one.iter == four.iter == 3


FROZEN = """
layer { name: 'in' type: 'Input' top: 'x' top: 't' input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 2 } } }
layer { name: 'low' type: 'InnerProduct' bottom: 'x' top: 'h' inner_product_param { num_output: 2 }
  param { lr_mult: 0 } param { lr_mult: 0 } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'h' top: 'y' inner_product_param { num_output: 2 } }
layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'loss' }
"""


def test_frozen_parameters_cost_no_memory(make):
    solver = make("momentum: 0.9 weight_decay: 0.1", FROZEN)
    solver.step(2)
    solver.snapshot()
    frozen = [*solver.net.params["low"], *solver.history[:2]]
    assert [blob.memories[1].head for blob in frozen] == [Head.NONE] * 4
    assert [blob.memories[0].head for blob in solver.history] == [Head.NONE, Head.NONE, Head.HOST, Head.HOST]


def test_frozen_parameter_keeps_the_history_of_its_decay(make):
    solver = make("type: 'AdaGrad' weight_decay: 0.1", FROZEN)
    low = solver.net.params["low"][0]
    low.data[...] = 1
    solver.step(1)
    assert (low.data == 1).all()
    np.testing.assert_allclose(solver.history[0].data, 0.01, rtol=1e-5)


def test_base_class_has_no_rule(folder):
    from caffe_fcn.solvers import Solver

    (folder / "solver.prototxt").write_text("base_lr: 1 lr_policy: 'fixed' net: 'net.prototxt'")
    with pytest.raises(NotImplementedError, match="compute_update"):
        Solver("solver.prototxt").step(1)


def test_a_type_of_ones_own(make):
    from caffe_fcn.solvers import Solver, register_solver, solver_type_list

    @register_solver("Sign")
    class SignSolver(Solver):
        def compute_update(self, grad, history, rate):
            grad[...] = rate * self.xp.sign(grad)

    solver = make("type: 'Sign'")
    assert type(solver) is SignSolver and "Sign" in solver_type_list()
    solver.net.params["fc"][1].diff[...] = [5, -7]
    solver.apply_update()
    np.testing.assert_allclose(solver.net.params["fc"][1].data, [-0.35, -0.15], rtol=1e-6)
