"""Data layers of the user that run ahead of the net, when asked to."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest

import caffe
import caffe_fcn
from caffe_fcn.errors import LayerError

MODULE = """
import random
import threading

import caffe
import numpy as np


class Pairs(caffe.Layer):
    '''Loads in reshape and moves on in forward, as the data layers of semantic segmentation do.'''

    def setup(self, bottom, top):
        self.index, self.threads = 0, []
        self.draw = random.Random(3)
        top[1].reshape(2)
        top[1].data[...] = (-1, -2)  # only partly written later

    def reshape(self, bottom, top):
        if self.index == 5:
            raise OSError('image 5 is gone')
        self.value = np.full((1, 2, 3 + self.index % 3), self.index + self.draw.random())
        top[0].reshape(*self.value.shape)

    def forward(self, bottom, top):
        self.threads.append(threading.current_thread() is threading.main_thread())
        top[0].data[...] = self.value
        top[1].data[0] += 1
        self.index += 1

    def backward(self, top, propagate_down, bottom):
        pass


class Ahead(Pairs):
    prefetch = True


class NotAhead(Pairs):
    prefetch = False


class Counter(caffe.Layer):
    prefetch = 2

    def setup(self, bottom, top):
        self.blobs.add_blob(1)

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        pass
"""
SEEN = {"Pairs": True, "Ahead": False, "NotAhead": True}  # does it run in the main thread?


@pytest.fixture
def python_net(folder, make_net):
    (folder / "ahead_layers.py").write_text(MODULE)

    def make(name, more=""):
        return make_net(f"layer {{ name: 'd' type: 'Python' top: 'a' top: 'b' {more} "
                        f"python_param {{ module: 'ahead_layers' layer: '{name}' }} }}"
                        "layer { name: 'p' type: 'Power' bottom: 'a' top: 'p' power_param { scale: 2 } }")

    return make


def passes(net, count=5):
    """Copies of the outputs of several passes."""
    return [{name: values.copy() for name, values in net.forward().items()} for _ in range(count)]


def equal(one, other):
    return all(np.array_equal(x[name], y[name]) for x, y in zip(one, other, strict=True) for name in ("p", "b"))


@pytest.mark.parametrize("name", SEEN)
def test_running_ahead_changes_nothing(name, python_net):
    plain = passes(python_net("Pairs"))
    net = python_net(name)
    assert equal(passes(net), plain)
    assert set(net.layers[0].threads) == {SEEN[name]}
    assert plain[4]["p"].shape == (1, 2, 4) and plain[4]["b"].tolist() == [4, -2]


def test_switches_in_the_prototxt_and_for_a_net(python_net):
    plain = passes(python_net("Pairs"))
    net = python_net("Pairs", "data_param { prefetch: 2 }")
    assert equal(passes(net), plain) and set(net.layers[0].threads) == {False}
    net = python_net("NotAhead", "data_param { prefetch: 2 }")  # the class knows better
    assert equal(passes(net), plain) and set(net.layers[0].threads) == {True}
    net = python_net("Pairs")
    first = passes(net, 1)
    caffe_fcn.prefetch(net)
    then = passes(net, 2)
    caffe_fcn.prefetch(net, 0)
    assert equal(first + then + passes(net, 2), plain)


def test_the_users_object_stays_the_layer(python_net):
    net = python_net("Ahead")
    assert type(net.layers[0]).__name__ == "Ahead" and isinstance(net.layers[0], caffe.Layer)


def test_an_exception_comes_in_its_turn_as_it_is(python_net):
    net = python_net("Ahead")
    passes(net, 5)
    with pytest.raises(OSError, match="image 5 is gone") as caught:
        net.forward()
    assert type(caught.value) is OSError
    assert "ahead_layers.py" in [entry.path.name for entry in caught.traceback if hasattr(entry.path, "name")]


def test_reshaping_the_net_does_not_disturb_it(python_net):
    plain, net = passes(python_net("Pairs")), python_net("Ahead")
    first = passes(net, 2)
    net.reshape()
    assert [net.blobs[name].shape for name in ("a", "p")] == [first[1]["p"].shape] * 2
    assert equal(first + passes(net, 3), plain)


def test_a_layer_with_parameters_is_refused(python_net):
    with pytest.raises(LayerError, match=r"'d' .Python.: has parameters, so it cannot run ahead"):
        python_net("Counter").forward()


def test_it_ends_with_the_net(python_net):
    before = set(threading.enumerate())
    net = python_net("Ahead")
    net.forward()
    del net
    gc.collect()
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [t for t in set(threading.enumerate()) - before if "prefetch" in t.name]
