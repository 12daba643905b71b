"""Arrays travel from GPU to GPU by NVIDIA's NCCL; processes still meet, and fail, through the host."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

from .. import mode
from .peer import Peer
from .transport import HostTransport

GRACE = 30.0  # seconds for a thread that NCCL holds to come back after another process has died


def has_nccl() -> bool:
    """Can CuPy use NCCL here? If not, several GPUs exchange gradients through the host."""
    try:
        return bool(_nccl().available)
    except ImportError:
        return False


def _nccl() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the library is missing
        from cupy.cuda import nccl
    return nccl


def usable() -> bool:
    """Does this process compute on a GPU, with NCCL at hand?"""
    return mode.device() is not None and has_nccl()


def unique_id() -> list[int]:
    """A new name that communicators meet under."""
    return list(_nccl().get_unique_id())


class NcclTransport(HostTransport):
    """As HostTransport, for CuPy arrays. `identity` is from rank 0's `unique_id`.

    A process that dies leaves the others in a kernel without end: they end the communication then, and the program if
    that does not help.
    """

    on_device = True

    def __init__(self, rank: int, peers: Sequence[Peer], identity: Sequence[int]) -> None:
        super().__init__(rank, peers)
        device: Any = mode.device()
        device.make_current()
        self._device = device
        self._cupy, self._nccl = device.cupy, _nccl()
        self._done = self._cupy.cuda.Event(disable_timing=True)
        self._communicator: Any = None
        for peer in self.peers:
            peer.on_lost = self._abort
        self._communicator = self._nccl.NcclCommunicator(self.count, bytes(identity), rank)

    def broadcast(self, arrays: Sequence[Any]) -> None:
        """See Transport."""
        self._run("broadcast", arrays, lambda a, kind, stream: self._communicator.bcast(
            a.data.ptr, a.size, kind, 0, stream))

    def add_up(self, arrays: Sequence[Any]) -> None:
        """See Transport."""
        self._run("add_up", arrays, lambda a, kind, stream: self._communicator.allReduce(
            a.data.ptr, a.data.ptr, a.size, kind, self._nccl.NCCL_SUM, stream))

    def _run(self, kind: str, arrays: Sequence[Any], send: Any) -> None:
        """All arrays as one call of NCCL, on the current stream: what follows there waits for it, the host does not."""
        self.meet(kind)
        types = {"f": self._nccl.NCCL_FLOAT32, "d": self._nccl.NCCL_FLOAT64}
        stream = self._cupy.cuda.get_current_stream()
        self._nccl.groupStart()
        for array in arrays:
            if array.size:
                send(array, types[array.dtype.char], stream.ptr)
        self._nccl.groupEnd()
        self._done.record(stream)

    def _is_stuck(self) -> bool:
        """Is NCCL still at work?"""
        return self._communicator is None or not self._done.done

    def _abort(self) -> None:
        """In the thread of a peer that is gone: free the main thread from NCCL."""
        self._device.make_current()
        if self._is_stuck() and self._communicator is not None:
            self._communicator.abort()
        deadline = time.monotonic() + GRACE
        while self._is_stuck():
            if time.monotonic() > deadline:
                print("caffe_fcn: another process of the training has ended, and NCCL does not come back: ending this "
                      "one, too; go on from the last snapshot", file=sys.stderr, flush=True)
                os._exit(1)
            time.sleep(GRACE / 100)
