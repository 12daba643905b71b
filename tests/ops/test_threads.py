"""The thread pool of the CPU kernels."""

from __future__ import annotations

import multiprocessing
import sys
import threading

import numpy as np
import pytest

from caffe_fcn.ops.cpu import threads


@pytest.fixture(params=[1, 2, 3])
def workers(request, monkeypatch):
    monkeypatch.setattr(threads, "count", lambda: request.param)
    monkeypatch.setattr(threads, "_pool", None)
    yield request.param
    if threads._pool is not None:
        threads._pool.shutdown()


@pytest.mark.parametrize("total", [0, 1, 2, 7])
def test_everything_is_done_once(workers, total):
    ranges, single = np.zeros(total, int), np.zeros(total, int)

    def part(start, stop, add):
        ranges[start:stop] += add

    def one(index):
        single[index] += 1

    threads.parallel(part, total, 1)
    threads.each(one, total)
    assert (ranges == 1).all()
    assert (single == 1).all()


def test_an_error_in_any_thread_is_raised(workers):
    def part(start, stop):
        if stop == 5:
            raise ValueError("the last part")

    def one(index):
        if index == 3:
            raise ValueError("number 3")

    with pytest.raises(ValueError, match="the last part"):
        threads.parallel(part, 5)
    with pytest.raises(ValueError, match="number 3"):
        threads.each(one, 5)


@pytest.fixture
def asked():
    yield threads.set_num_threads
    threads.set_num_threads(None)


def blas_threads():
    return [library["num_threads"] for library in threads._blas().info()]


def test_blas_gets_its_threads_back():
    before = blas_threads()
    with threads.one_blas_thread():
        with threads.one_blas_thread():
            assert set(blas_threads()) <= {1}
        assert set(blas_threads()) <= {1}  # not before the last user has ended
    assert blas_threads() == before


@pytest.mark.skipif(not blas_threads(), reason="threadpoolctl does not know this BLAS")
def test_blas_gets_its_threads_back_after_an_interrupt(monkeypatch):
    before = blas_threads()
    for interrupted in (1, None):  # on the way in, on the way out

        def interrupt(number, interrupted=interrupted, plain=threads._set):
            if number == interrupted:
                raise KeyboardInterrupt
            plain(number)

        with monkeypatch.context() as patch:
            patch.setattr(threads, "_set", interrupt)
            with pytest.raises(KeyboardInterrupt), threads.one_blas_thread():
                pass
        with threads.one_blas_thread():
            assert set(blas_threads()) == {1}
        assert blas_threads() == before


@pytest.mark.skipif(not blas_threads(), reason="threadpoolctl does not know this BLAS")
def test_threads_that_are_asked_for_while_blas_has_one(asked):
    with threads.one_blas_thread():
        asked(3)
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {3}


def test_users_in_several_threads():
    totals = np.zeros((4, 50), int)

    def user(row):
        for _ in range(20):
            threads.each(lambda index: totals.__setitem__((row, index), totals[row, index] + 1), 50)

    users = [threading.Thread(target=user, args=(row,)) for row in range(4)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join(60)
    assert (totals == 20).all()


def _in_child(queue):
    done = []
    threads.each(done.append, 3)
    queue.put(sorted(done))


@pytest.mark.skipif(sys.platform != "linux", reason="fork is safe on Linux only")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork in a process with threads: that is the point
def test_works_after_a_fork():
    threads.each(lambda index: None, 4)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=30) == [0, 1, 2]
    child.join(30)


def test_count_respects_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert threads.count() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    assert 1 <= threads.count() < 100000
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads.count() >= 1


def test_scratch_is_reused_and_grows():
    small = threads.scratch("test", (2, 3), np.float32)
    assert small.shape == (2, 3)
    assert np.shares_memory(small, threads.scratch("test", (3,), np.float64))
    assert threads.scratch("test", (100,), np.float64).size == 100
    assert not np.shares_memory(threads.scratch("test", (2,), np.int8), threads.scratch("other", (2,), np.int8))


def test_the_number_of_threads_can_be_asked_for(asked, monkeypatch):
    before = blas_threads()
    for number in (1, 3):
        asked(number)
        assert threads.count() == number and set(blas_threads()) <= {number}
        workers = set()
        threads.each(lambda index, workers=workers: workers.add(threading.get_ident()), 2000)
        assert len(workers) <= number
    asked(None)
    assert threads.count() == before[0] if before else True


@pytest.mark.parametrize("number", [0, -1, 1.5, "2", True])
def test_numbers_of_threads_that_are_refused(asked, number):
    with pytest.raises(ValueError, match="whole number from 1"):
        asked(number)


def test_scratch_can_be_given_back():
    first = threads.scratch("test", (100,), np.float32)
    first[...] = 5
    threads.drop_scratch()
    assert not np.shares_memory(first, threads.scratch("test", (100,), np.float32))
