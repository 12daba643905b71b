"""The background thread: order, errors, turning it on and off, its end."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import subprocess
import sys
import threading
import time

import pytest

from caffe_fcn.data.prefetcher import Prefetcher
from caffe_fcn.errors import LayerError, NotSupportedError


@pytest.fixture
def threads():
    """A function that gives the prefetch threads which did not exist when the test began."""
    before = set(threading.enumerate())
    return lambda: [t for t in set(threading.enumerate()) - before if t.name == "caffe_fcn prefetch"]


def eventually(condition):
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_results_come_in_order(depth):
    feed = Prefetcher(itertools.count().__next__, depth)
    assert [feed.get() for _ in range(20)] == list(range(20))


@pytest.mark.parametrize("depth", [0, 3])
def test_an_error_comes_in_its_turn_and_the_rest_follows(depth):
    numbers = itertools.count()

    def produce():
        n = next(numbers)
        if n % 3 == 1:
            raise ValueError(f"bad {n}")
        return n

    feed = Prefetcher(produce, depth)
    assert feed.get() == 0
    with pytest.raises(ValueError, match="bad 1"):
        feed.get()
    assert feed.get() == 2
    assert feed.get() == 3


def test_exit_of_the_producer_reaches_the_consumer():
    with pytest.raises(SystemExit):
        Prefetcher(sys.exit, 2).get()


def test_no_more_than_depth_results_wait():
    made = []
    feed = Prefetcher(lambda: made.append(1), 3)
    feed.get()
    assert eventually(lambda: len(made) == 4)
    time.sleep(0.05)
    assert len(made) == 4


def test_turning_it_off_and_on_loses_nothing(threads):
    feed = Prefetcher(itertools.count().__next__, 3)
    got = [feed.get()]
    for depth in (0, 2, 0, 0, 1):
        feed.depth = depth
        assert len(threads()) == 0 or depth
        got += [feed.get() for _ in range(5)]
    assert got == list(range(26))


def test_depth_must_not_be_negative():
    with pytest.raises(LayerError, match="-1"):
        Prefetcher(int, -1)


def test_the_thread_ends_with_its_owner(threads):
    feed = Prefetcher(itertools.count().__next__, 3)
    feed.get()
    assert len(threads()) == 1
    del feed
    gc.collect()
    assert not threads()


def test_an_unused_one_has_no_thread(threads):
    feed = Prefetcher(int, 3)
    assert not threads() and feed.depth == 3


def forked(feed, answer):
    try:
        feed.get()
    except NotSupportedError as error:
        answer.put(str(error))


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_use_in_a_forked_child_is_refused_and_the_child_ends():
    context = multiprocessing.get_context("fork")
    feed, answer = Prefetcher(itertools.count().__next__, 3), context.Queue()
    feed.get()
    child = context.Process(target=forked, args=(feed, answer))
    child.start()
    assert "make it in the child" in answer.get(timeout=20)
    child.join(20)
    assert child.exitcode == 0


def test_the_interpreter_exits_while_the_thread_runs():
    code = ("import time\nfrom caffe_fcn.data.prefetcher import Prefetcher\n"
            "feed = Prefetcher(lambda: time.sleep(0.02), 3)\nfeed.get()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
