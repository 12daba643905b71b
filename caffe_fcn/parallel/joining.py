"""How the processes find each other: by a name that only they know, on one machine."""

from __future__ import annotations

import os
import queue
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import Any

from .. import mode
from ..errors import ParallelError
from .nccl import NcclTransport, unique_id, usable
from .peer import Peer
from .transport import HostTransport, Transport

UID_BYTES = 32  # half of them name the place to meet, half are the key to it
JOINING = 300.0  # seconds until all must have come
STEP = 0.2  # seconds between looks whether a process has failed to start


def new_uid() -> bytes:
    """A new name for processes to meet under."""
    return secrets.token_bytes(UID_BYTES)


def join(uid: bytes, rank: int, count: int, problem: Callable[[], str | None] = lambda: None) -> Transport:
    """Meet the other processes; each calls this with the same `uid` and `count`, and its own rank.

    Where all compute on GPUs of their own and NCCL is there, arrays travel by it, else through the host. `problem` is
    asked by rank 0 why the others will not come. Raises ParallelError if they do not come in time, ValueError for
    wrong arguments.
    """
    if not isinstance(uid, bytes) or len(uid) != UID_BYTES:
        raise ValueError(f"the name to meet under is what NCCL.new_uid() gave, {UID_BYTES} bytes")
    if not 0 <= rank < count:
        raise ValueError(f"with {count} solvers, ranks are 0 to {count - 1}; got {rank} (set_solver_count and "
                         "set_solver_rank)")
    device = mode.device()
    me = {"rank": rank, "count": count, "gpu": getattr(device, "index", None), "nccl": usable()}
    if rank:
        return _meet_root(uid, me)
    peers, others = _gather(uid, count, problem)
    gpus = [fact["gpu"] for fact in (me, *others)]
    by_nccl = count > 1 and all(fact["nccl"] for fact in (me, *others)) and len(set(gpus)) == count
    identity = unique_id() if by_nccl else None
    for peer in peers:
        peer.send("welcome", nccl=identity)
    return _transport(0, peers, identity)


def _transport(rank: int, peers: list[Peer], identity: list[int] | None) -> Transport:
    return HostTransport(rank, peers) if identity is None else NcclTransport(rank, peers, identity)


def _address(uid: bytes) -> str:
    name = f"caffe_fcn-{uid[:UID_BYTES // 2].hex()}"
    return rf"\\.\pipe\{name}" if sys.platform == "win32" else os.path.join(tempfile.gettempdir(), name)


def _meet_root(uid: bytes, me: dict[str, Any]) -> Transport:
    deadline = time.monotonic() + JOINING
    while True:
        try:
            connection = Client(_address(uid), authkey=uid[UID_BYTES // 2:])
            break
        except AuthenticationError:
            raise ParallelError("rank 0 of this name does not know the key: the names of two trainings are mixed "
                                "up") from None
        except (FileNotFoundError, ConnectionError, EOFError):
            if time.monotonic() > deadline:
                raise ParallelError(f"rank 0 did not come within {JOINING:.0f} s") from None
            time.sleep(STEP / 4)
    root = Peer(connection, "the process of rank 0")
    root.send("hello", **me)
    try:
        return _transport(me["rank"], [root], root.receive("welcome")["nccl"])
    except ParallelError:
        root.close()
        raise


def _gather(uid: bytes, count: int, problem: Callable[[], str | None]) -> tuple[list[Peer], list[dict[str, Any]]]:
    """The connections to the other processes in the order of their ranks, and what they tell of themselves."""
    arrived: queue.Queue[Any] = queue.Queue()
    found: dict[int, tuple[Peer, dict[str, Any]]] = {}
    peers: list[Peer] = []
    deadline = time.monotonic() + JOINING
    try:
        with Listener(_address(uid), backlog=count, authkey=uid[UID_BYTES // 2:]) as listener:
            threading.Thread(target=_accept, args=(listener, arrived), name="caffe_fcn joining", daemon=True).start()
            while len(found) < count - 1:
                try:
                    peers.append(Peer(arrived.get(timeout=STEP), "a process that joins"))
                except queue.Empty:
                    _check_waiting(problem(), deadline, [rank for rank in range(1, count) if rank not in found])
                    continue
                facts = peers[-1].receive("hello")
                _check(facts, count, found)
                peers[-1].name = f"the process of rank {facts['rank']}"
                found[facts["rank"]] = peers[-1], facts
    except ParallelError as error:
        for peer in peers:
            peer.close("failed", text=str(error))
        raise
    ordered = [found[rank] for rank in range(1, count)]
    return [peer for peer, _ in ordered], [facts for _, facts in ordered]


def _check_waiting(problem: str | None, deadline: float, missing: list[int]) -> None:
    if problem is None and time.monotonic() > deadline:
        problem = f"rank {', '.join(map(str, missing))} did not come within {JOINING:.0f} s"
    if problem is not None:
        raise ParallelError(problem)


def _check(facts: dict[str, Any], count: int, found: dict[int, Any]) -> None:
    if facts["count"] != count:
        raise ParallelError(f"rank {facts['rank']} expects {facts['count']} solvers, rank 0 expects {count}")
    if facts["rank"] in found:
        raise ParallelError(f"two processes have the rank {facts['rank']} (set_solver_rank)")


def _accept(listener: Listener, arrived: queue.Queue[Any]) -> None:
    while True:
        try:
            arrived.put(listener.accept())
        except (AuthenticationError, EOFError):
            continue  # somebody else
        except OSError:
            return  # closed: all are there
