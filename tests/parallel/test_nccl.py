"""The calls that NCCL gets, on a stand-in for CuPy; on cards, the sums."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import caffe
from caffe_fcn import mode
from caffe_fcn.parallel import nccl
from caffe_fcn.parallel.peer import Peer


class Communicator:
    """Notes its calls."""

    def __init__(self, count, identity, rank):
        assert isinstance(identity, bytes)
        self.calls = [("init", count, rank)]

    def allReduce(self, *args):
        self.calls.append(("allReduce", *args))

    def bcast(self, *args):
        self.calls.append(("bcast", *args))

    def abort(self):
        self.calls.append(("abort",))


@pytest.fixture
def card(monkeypatch):
    """A device, and a module cupy.cuda.nccl, that compute nothing."""
    library = ModuleType("cupy.cuda.nccl")
    library.NcclCommunicator, library.available = Communicator, True
    library.NCCL_FLOAT32, library.NCCL_FLOAT64, library.NCCL_SUM = 7, 8, 0
    library.groupStart = library.groupEnd = lambda: None
    library.get_unique_id = lambda: bytes(128)
    event = SimpleNamespace(done=True, record=lambda stream: None)
    cuda = ModuleType("cupy.cuda")
    cuda.nccl, cuda.Event = library, lambda **_: event
    cuda.get_current_stream = lambda: SimpleNamespace(ptr=77)
    cupy = ModuleType("cupy")
    cupy.cuda = cuda
    for name, module in {"cupy": cupy, "cupy.cuda": cuda, "cupy.cuda.nccl": library}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(mode, "_device", SimpleNamespace(cupy=cupy, make_current=lambda: None, index=0))
    return event


def pair():
    """Two ranks in one process."""
    ends = Pipe()
    return [nccl.NcclTransport(rank, [Peer(end, f"rank {1 - rank}")], nccl.unique_id())
            for rank, end in enumerate(ends)]


def array(dtype, size=3):
    return SimpleNamespace(data=SimpleNamespace(ptr=1000), size=size, dtype=np.dtype(dtype))


def test_all_arrays_go_to_the_current_stream(card):
    assert nccl.usable()
    ranks = pair()
    with ThreadPoolExecutor(2) as pool:
        for method in ("broadcast", "add_up"):
            arrays = [array(np.float32), array(np.float64, 5), array(np.float32, 0)]
            for job in [pool.submit(getattr(rank, method), arrays) for rank in ranks]:
                job.result(5)
    for number, rank in enumerate(ranks):
        assert rank._communicator.calls == [
            ("init", 2, number), ("bcast", 1000, 3, 7, 0, 77), ("bcast", 1000, 5, 8, 0, 77),
            ("allReduce", 1000, 1000, 3, 7, 0, 77), ("allReduce", 1000, 1000, 5, 8, 0, 77)]
        rank.close()


def test_a_lost_process_ends_what_nccl_waits_for(card, monkeypatch):
    ended = []
    monkeypatch.setattr(nccl, "GRACE", 0.1)
    monkeypatch.setattr(nccl.os, "_exit", lambda status: (ended.append(status), setattr(card, "done", True)))
    ranks = pair()
    card.done = False
    ranks[1].peers[0]._closed.set()  # it will not complain
    ranks[1].peers[0]._say_goodbye(2)
    ranks[0].peers[0]._reader.join(5)
    assert ("abort",) in ranks[0]._communicator.calls and ended == [1]


def test_a_lost_process_that_nobody_waits_for_does_no_harm(card, monkeypatch):
    monkeypatch.setattr(nccl.os, "_exit", lambda status: pytest.fail("ended"))
    ranks = pair()
    ranks[1].close()
    ranks[0].peers[0]._reader.join(5)
    assert ranks[0]._communicator.calls == [("init", 2, 0)]
    ranks[0].close()


@pytest.mark.gpu
def test_two_cards_train_as_iter_size_2(write):
    """Needs two cards with NCCL."""
    cupy = pytest.importorskip("cupy")
    if not cupy.is_available() or cupy.cuda.runtime.getDeviceCount() < 2 or not nccl.has_nccl():
        pytest.skip("needs two GPUs and NCCL")
    command = [sys.executable, "-m", "caffe_fcn.cli.caffe", "train", "-solver", "solver.prototxt", "-gpu"]
    results = []
    for gpus, iter_size in (("0,1", 1), ("0", 2)):
        write(iter_size=iter_size)
        subprocess.run([*command, gpus], check=True, timeout=120)
        message = caffe.proto.caffe_pb2.NetParameter.FromString(Path("snap_iter_6.caffemodel").read_bytes())
        results.append(np.concatenate([blob.data for layer in message.layer for blob in layer.blobs]))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-4, atol=1e-6)
