"""Data layers of the user that a solver runs one batch ahead by itself, and when it must not."""

from __future__ import annotations

import functools
import random
import threading
import traceback

import numpy as np
import pytest

import caffe
import caffe_fcn
from caffe_fcn.errors import DivergedError, LabelError

MODULE = """
import random
import threading

import caffe
import numpy as np


class Images(caffe.Layer):
    '''Loads in reshape and moves on in forward; images differ in size; draws from the global generators.'''

    def setup(self, bottom, top):
        self.i, self.bad, self.label, self.order = 0, None, 1, list(range(5))
        self.draws = np.random.RandomState(4)
        self.main, self.seen, self.hook = [], [], None

    def reshape(self, bottom, top):
        if self.i == self.bad:
            raise OSError(f'image {self.i} is gone')
        random.shuffle(self.order)
        self.image = np.random.rand(1, 2, 2 + self.i % 3, 2) + self.order[0] + self.draws.rand()
        top[0].reshape(*self.image.shape)
        top[1].reshape(1, 1, *self.image.shape[2:])

    def forward(self, bottom, top):
        if self.hook:
            self.hook()
        self.main.append(threading.current_thread() is threading.main_thread())
        self.seen.append((self.i, random.random(), np.random.rand()))
        top[0].data[...] = self.image
        top[1].data[:, :, 1:] += self.i % 2  # the rest keeps what was there
        top[1].data[:, :, 1:] %= 2
        top[1].data[0, 0, 0, 0] = self.label
        self.i += 1

    def backward(self, top, propagate_down, bottom):
        pass


class Others(Images):
    pass


class InTurn(Images):
    prefetch = False


class Stateful(Images):
    def run_state(self):
        return {'i': self.i}

    def set_run_state(self, state):
        self.i = state['i']


class Watching(caffe.Layer):
    '''A user's layer with a bottom.'''

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff
"""
LAYER = ("layer {{ name: '{0}' type: 'Python' top: '{1}' top: '{2}' {3} "
         "python_param {{ module: 'pass_layers' layer: '{0}' }} }}")
NET = """
layer { name: 'drop' type: 'Dropout' bottom: 'data' top: 'drop' }
layer { name: 'conv' type: 'Convolution' bottom: 'drop' top: 'conv' convolution_param {
  num_output: 2 kernel_size: 1 weight_filler { type: 'gaussian' std: 0.1 } } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'conv' bottom: 'label' top: 'loss' }
"""
WATCHER = ("layer { name: 'w' type: 'Python' bottom: 'conv' top: 'w' "
           "python_param { module: 'pass_layers' layer: 'Watching' } }")
SECOND = (LAYER.format("Others", "data2", "label2", "") +
          "layer { name: 's' type: 'Silence' bottom: 'data2' bottom: 'label2' }")
FIELDS = "base_lr: 0.1 momentum: 0.9 lr_policy: 'fixed' snapshot_prefix: 's' random_seed: 5 "


@pytest.fixture
def solver(folder):
    """`solver(layer, fields, more layers, data_param)`: a solver whose net is fed by a user's layer."""
    (folder / "pass_layers.py").write_text(MODULE)

    def make(layer="Images", fields="", more="", data_param="", net=NET, **options):
        (folder / "net.prototxt").write_text(LAYER.format(layer, "data", "label", data_param) + net + more)
        (folder / "solver.prototxt").write_text(f"{FIELDS} {fields} net: 'net.prototxt'")
        np.random.seed(1)
        random.seed(2)
        return caffe.get_solver("solver.prototxt", **options)

    return make


def without(solver):
    """The same solver, whose layers run when their turn comes."""
    for net in (solver.net, *solver.test_nets):
        caffe_fcn.prefetch(net, 0)
    return solver


def facts(solver):
    """All that must not depend on what ran when, but the thread."""
    nets = (solver.net, *solver.test_nets)
    layers = [layer for net in nets for layer in net.layers if hasattr(layer, "draws")]
    arrays = [*(blob.data for net in nets for blob in net.blobs.values()), *(blob.data for blob in solver.history),
              *(blob.data for blobs in solver.net.params.values() for blob in blobs)]
    return [solver.iter, *(layer.i for layer in layers), *(layer.seen for layer in layers), np.random.rand(),
            *(layer.order for layer in layers), *(array.tolist() for array in arrays)]


def main(solver):
    """Which passes of the first layer ran in the main thread."""
    return solver.net.layers[0].main


def once(solver):
    solver.step(6)


def one_by_one(solver):
    for _ in range(4):
        solver.step(1)
        solver.net.layers[0].i += 1


def with_changes(solver):
    solver.step(3)
    solver.net.layers[0].i = 10
    solver.net.forward()
    solver.step(3)


def to_the_end(solver):
    solver.solve()


WAYS = {
    "step": (once, {}, [True] + 5 * [False]),
    "step by step": (one_by_one, {}, 4 * [True]),
    "attributes change between steps": (with_changes, {}, [True, False, False, True, True, False, False]),
    "iter_size": (once, {"fields": "iter_size: 2"}, [True] + 11 * [False]),
    "iter_size, step by step": (one_by_one, {"fields": "iter_size: 2"}, 4 * [True, False]),
    "test nets": (once, {"fields": "test_iter: 3 test_interval: 2"}, 3 * [True, False]),
    "solve": (to_the_end, {"fields": "max_iter: 3 display: 1 test_iter: 2 test_interval: 3"},
              [True, False, False, True]),
    "two layers": (once, {"more": SECOND}, [True] + 5 * [False]),
    "debug_info": (once, {"fields": "debug_info: true display: 1"}, [True] + 5 * [False]),
    "snapshots": (once, {"fields": "snapshot: 2"}, [True] + 5 * [False]),
    "snapshots with run state": (once, {"fields": "snapshot: 3", "run_state": True}, 2 * [True, False, False]),
    "stop_on_nan": (once, {"stop_on_nan": True}, [True] + 5 * [False]),
}


@pytest.mark.parametrize("way", WAYS)
def test_results_are_the_same(way, solver):
    run, made, in_main = WAYS[way]
    plain = without(solver(**made))
    run(plain)
    expected = facts(plain)
    ahead = solver(**made)
    run(ahead)
    assert facts(ahead) == expected
    assert all(main(plain)) and main(ahead) == in_main


def test_passes_of_a_test_net_follow_each_other(solver):
    made = solver(fields="test_iter: 3 test_interval: 2")
    made.step(1)
    assert made.test_nets[0].layers[0].main == [True, False, False]


IN_PLACE = "layer { name: 'relu' type: 'Power' bottom: 'data' top: 'data' power_param { shift: 1 } }"
UNLABELLED = NET.replace("SoftmaxWithLoss", "EuclideanLoss").replace("bottom: 'label'", "bottom: 'drop'")
VIEW = ("layer { name: 'flat' type: 'Reshape' bottom: 'data' top: 'flat' reshape_param { shape { dim: -1 } } }"
        "layer { name: 'relu' type: 'Power' bottom: 'flat' top: 'flat' power_param { shift: 1 } }")
IN_TURN = {
    "the class says so": {"layer": "InTurn"},
    "the prototxt says so": {"data_param": "data_param { prefetch: 0 }"},
    "another layer of the user": {"more": WATCHER},
    "the layer's backward runs": {"net": "force_backward: true " + NET},
    "a top counts in the loss": {"data_param": "loss_weight: 0 loss_weight: 1", "net": UNLABELLED},
    "a layer works in place": {"net": IN_PLACE + NET},
    "a layer works in place on a view": {"more": VIEW},
}


@pytest.mark.parametrize("case", IN_TURN)
def test_it_runs_in_turn_if(case, solver):
    plain = without(solver(**IN_TURN[case]))
    plain.step(3)
    expected = facts(plain)
    made = solver(**IN_TURN[case])
    made.step(3)
    assert main(made) == [True] * 3 and facts(made) == expected


class Holder:
    """Something of a user's that leads to an object."""

    def __init__(self, held):
        self.held = held

    def method(self, *_):
        """Do nothing."""


WATCHED = {
    "callback": lambda s: s.add_callback(lambda: None, lambda: None),
    "listener": lambda s: s.add_listener(Holder(s).method),
    "action": lambda s: s.set_action_function(lambda: None),
    "net callback": lambda s: s.net.after_backward(lambda i: None),
    "instance says so": lambda s: setattr(s.net.layers[0], "prefetch", False),
    "layer holds the net": lambda s: setattr(s.net.layers[0], "net", s.net),
    "layer holds the solver in a list": lambda s: setattr(s.net.layers[0], "more", [{"s": s}]),
    "layer holds a blob in an object": lambda s: setattr(s.net.layers[0], "more", Holder(s.net.blobs["loss"])),
    "layer holds a view": lambda s: setattr(s.net.layers[0], "more", s.net.blobs["loss"].data.reshape(1)),
    "layer holds a method": lambda s: setattr(s.net.layers[0], "more", s.net.save),
    "layer holds a closure": lambda s: setattr(s.net.layers[0], "more", lambda: s.iter),
    "layer holds a partial": lambda s: setattr(s.net.layers[0], "more", functools.partial(print, s)),
}


@pytest.mark.parametrize("way", WATCHED)
def test_it_runs_in_turn_if_somebody_looks(way, solver):
    made = solver()
    WATCHED[way](made)
    made.step(3)
    assert main(made) == [True] * 3


def test_a_layers_long_lists_do_not_matter(solver):
    made = solver()
    made.net.layers[0].ids = [str(i) for i in range(20000)]
    made.net.layers[0].pairs = [(str(i), i) for i in range(20000)]
    made.net.layers[0].rois = [{"boxes": np.zeros(4), "name": str(i)} for i in range(500)]
    made.step(3)
    assert main(made) == [True, False, False]


def test_a_layer_with_too_much_to_search_runs_in_turn(solver):
    made = solver()
    made.net.layers[0].rois = [{"boxes": np.zeros(4), "name": str(i)} for i in range(9000)]
    made.step(3)
    assert main(made) == [True, True, True]


@pytest.mark.parametrize("hide", [
    lambda layer, net: setattr(type(layer), "net", net),
    lambda layer, net: layer.forward.__globals__.update(STATE={"nets": [net]}),
    lambda layer, net: setattr(layer.forward.__globals__["Others"], "net", net),
    lambda layer, net: setattr(layer, "many", [object()] * 60 + [net]),
], ids=["class", "variable of the module", "another class", "long list"])
def test_a_layer_that_could_see_the_net_runs_in_turn(hide, solver):
    made = solver()
    hide(made.net.layers[0], made.net)
    made.step(3)
    assert main(made) == [True, True, True]


def test_only_layers_before_one_that_has_to_wait_run_ahead(solver):
    made = solver("Images", more=SECOND)
    made.net.layer_dict["Others"].prefetch = False
    made.step(2)
    assert main(made) == [True, False] and made.net.layer_dict["Others"].main == [True, True]
    made = solver("InTurn", more=SECOND)
    made.step(2)
    assert main(made) == [True, True] and made.net.layer_dict["Others"].main == [True, True]


@pytest.mark.parametrize("prepare", [without, lambda s: s], ids=["in turn", "ahead"])
def test_an_exception_comes_in_its_pass_as_it_is(prepare, solver):
    made = prepare(solver())
    made.net.layers[0].bad = 3
    with pytest.raises(OSError, match="image 3 is gone") as caught:
        made.step(6)
    assert type(caught.value) is OSError and made.iter == 3 and made.net.layers[0].i == 3
    assert traceback.extract_tb(caught.tb)[-1].name == "reshape"
    made.net.layers[0].bad = None
    made.step(2)
    assert made.iter == 5 and made.net.layers[0].i == 5


def interrupted(error, solver, monkeypatch, prepare):
    """What is left when the third backward pass raises an error, and what training gives after it."""
    made, count = prepare(solver()), iter(range(100))
    backward = made.net._backward

    def fails(*layers):
        if next(count) == 2:
            raise error
        backward(*layers)

    monkeypatch.setattr(made.net, "_backward", fails)
    with pytest.raises(type(error)):
        made.step(6)
    left = made.net.layers[0].i
    made.net.layers[0].seen.append(made.net.layers[0].draws.get_state()[2])
    made.step(2)
    return left, facts(made)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("bad")])
def test_after_an_error_in_the_net_the_layer_stands_where_it_would(error, solver, monkeypatch):
    left, then = interrupted(error, solver, monkeypatch, without)
    assert left == 3 and (left, then) == interrupted(error, solver, monkeypatch, lambda s: s)


@pytest.mark.parametrize(("label", "error"), [(7, LabelError), (1, DivergedError)])
def test_after_a_bad_batch_the_layer_stands_at_it(label, error, solver):
    made = solver(stop_on_nan=True)
    made.step(2)
    made.net.layers[0].label = label
    if error is DivergedError:
        made.net.params["conv"][0].data[...] = np.nan
    with pytest.raises(error):
        made.step(3)
    assert made.net.layers[0].i == 3 and main(made) == [True, False, True]


def test_a_stop_leaves_the_layer_where_it_would_be(solver, monkeypatch):
    made = solver("Stateful", run_state=True)
    answers = iter([None, "snapshot", "stop"])
    action = functools.wraps(without)(lambda: next(answers))
    action.__module__ = "caffe_fcn.cli.train"  # whose actions are known not to look
    made.set_action_function(action)
    made.step(9)
    assert made.iter == 3 and made.net.layers[0].i == 3
    assert main(made)[:3] == [True, False, True]
    again = solver("Stateful", run_state=True)
    again.restore("s_iter_2.solverstate")
    assert again.net.layers[0].i == 2


def test_a_net_that_the_layer_runs_waits_for_its_turn(solver):
    def results(prepare):
        made = prepare(solver())
        inner = caffe.Net("net.prototxt", caffe.TRAIN)  # with dropout: draws from the engine's generator
        caffe.set_random_seed(8)
        hidden = iter([inner] * 9)  # out of sight of the search
        made.net.layers[0].hook = functools.partial(_forward_next, hidden)
        made.step(5)
        return main(made), facts(made), inner.blobs["drop"].data.tolist()

    (plain, *expected), (ahead, *found) = results(without), results(lambda s: s)
    assert all(plain) and ahead == [True] + 4 * [False]
    assert found == expected


def _forward_next(nets):
    next(nets).forward()


def test_settings_of_numpy_hold_for_it(solver):
    made, numbers = solver(), iter([1.0, 0.0])
    made.net.layers[0].hook = lambda: np.divide(1.0, np.full(1, next(numbers)))
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        made.step(2)
    assert made.iter == 1


def test_no_thread_is_left(solver):
    made = solver()
    made.step(4)
    assert not [thread for thread in threading.enumerate() if "look-ahead" in thread.name]
