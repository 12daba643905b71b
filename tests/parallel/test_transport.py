"""What processes exchange, played by threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe

import numpy as np
import pytest

from caffe_fcn.errors import ParallelError
from caffe_fcn.parallel import joining, peer
from caffe_fcn.parallel.joining import join, new_uid
from caffe_fcn.parallel.peer import Finished, Peer
from caffe_fcn.parallel.transport import HostTransport


def star(count):
    """Transports of `count` ranks that are connected with each other."""
    pairs = [Pipe() for _ in range(count - 1)]
    return [HostTransport(0, [Peer(a, f"rank {i}") for i, (a, _) in enumerate(pairs, 1)]),
            *(HostTransport(i, [Peer(b, "rank 0")]) for i, (_, b) in enumerate(pairs, 1))]


def everybody(function, ranks):
    """What `function(transport)` gives for each, all at the same time."""
    with ThreadPoolExecutor(len(ranks)) as pool:
        return [job.result(20) for job in [pool.submit(function, rank) for rank in ranks]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_are_the_same_bits_everywhere(dtype):
    ranks = star(3)
    values = np.random.default_rng(0).normal(size=(3, 100)).astype(dtype)

    def add(rank):
        arrays = [values[rank.rank].copy(), np.empty(0, dtype), np.full(2, rank.rank, dtype)]
        rank.add_up(arrays)
        return arrays

    for result in everybody(add, ranks):
        assert (result[0] == values[0] + values[1] + values[2]).all() and (result[2] == 3).all()


def test_rank_0_tells_the_others():
    ranks = star(3)

    def take(rank):
        array = np.full(3, rank.rank, np.float32)
        rank.broadcast([array])
        return rank.share({"from": rank.rank}), array.tolist()

    assert everybody(take, ranks) == [({"from": 0}, [0, 0, 0])] * 3


def test_the_end():
    ranks = star(2)
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(ranks[0].finish)
        with pytest.raises(Finished):
            ranks[1].add_up([])
        ranks[1].close()
        ending.result(5)


def test_a_failure_reaches_who_waits():
    ranks = star(2)
    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(ranks[1].fail, "rank 1: no more data")
        with pytest.raises(ParallelError, match=r"^rank 1: no more data$"):
            ranks[0].add_up([])
        ranks[0].close()
        failing.result(5)


def test_who_is_gone_is_noticed():
    ranks = star(2)
    ranks[1].close()
    with pytest.raises(ParallelError, match="rank 1 has ended unexpectedly"):
        ranks[0].add_up([])


def test_silence_is_noticed(monkeypatch):
    monkeypatch.setattr(peer, "PATIENCE", 0.1)
    waiting, _silent = Pipe()
    with pytest.raises(ParallelError, match="has given no sign of life"):
        Peer(waiting, "rank 1").receive("add_up")


def test_signs_of_life_are_no_messages(monkeypatch):
    monkeypatch.setattr(peer, "BEAT", 0.01)
    monkeypatch.setattr(peer, "PATIENCE", 0.2)
    a, b = Pipe()
    slow, waiting = Peer(a, "rank 0"), Peer(b, "rank 1")
    threading.Timer(0.6, lambda: slow.send("facts", facts=1)).start()
    assert waiting.receive("facts")["facts"] == 1


def test_different_programs_are_noticed(monkeypatch):
    monkeypatch.setattr(peer, "LEFT", 0.1)
    ranks = star(2)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(ranks[1].broadcast, [])
        with pytest.raises(ParallelError, match="rank 1 is at another point of the program: it sends 'broadcast'"):
            ranks[0].add_up([])
        ranks[0].fail("rank 0: over")
        assert isinstance(other.exception(5), ParallelError)


def test_processes_find_each_other():
    uid = new_uid()
    ranks = everybody(lambda rank: join(uid, rank, 3), [2, 0, 1])
    assert [rank.rank for rank in ranks] == [2, 0, 1]
    assert everybody(lambda rank: rank.share({"n": rank.rank}), ranks) == [{"n": 0}] * 3
    for rank in ranks:
        rank.close()


def test_bad_joins(monkeypatch):
    monkeypatch.setattr(joining, "JOINING", 0.3)
    with pytest.raises(ValueError, match=r"NCCL\.new_uid"):
        join(b"short", 0, 1)
    with pytest.raises(ValueError, match="ranks are 0 to 1; got 2"):
        join(new_uid(), 2, 2)
    with pytest.raises(ParallelError, match="rank 1 did not come within"):
        join(new_uid(), 0, 2)
    with pytest.raises(ParallelError, match="rank 0 did not come within"):
        join(new_uid(), 1, 2)
    with pytest.raises(ParallelError, match="it ended before"):
        join(new_uid(), 0, 2, lambda: "it ended before")


def test_bad_partners():
    uid = new_uid()
    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(join, uid, 1, 3)
        with pytest.raises(ParallelError, match="rank 1 expects 3 solvers, rank 0 expects 2"):
            join(uid, 0, 2)
        assert isinstance(other.exception(5), ParallelError)
