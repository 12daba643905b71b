"""A small thread pool for kernels that release the GIL, and per-thread scratch memory.

Numba's own parallel loops are not used: their default backend may not be entered from two threads, nor after a fork.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from caffe_fcn.memory import zeros

LINE = 64  # bytes of a line of the cache, and of the longest vector

_pool: ThreadPoolExecutor | None = None
_asked: int | None = None  # by set_num_threads
_scratch = threading.local()
_dropped = 0  # how often all threads were asked to give their scratch memory back
_lock = threading.Lock()
_users: weakref.WeakSet[_User] = weakref.WeakSet()  # of a BLAS limited to one thread
_before: list[tuple[Any, int]] = []  # while it is: its libraries, and their numbers of threads when it is not


def set_num_threads(number: int | None) -> None:
    """Use this many threads from now on, in products of BLAS, too; None: as many as `count` says by default.

    Results depend on it in the last digits: those of InnerProduct and float64, which BLAS computes, and gradients of
    convolutions that make columns (docs/performance.md). ValueError for what is no whole number from 1.
    """
    global _asked, _pool
    if number is not None and (isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1):
        raise ValueError(f"the number of threads is a whole number from 1, or None; got {number!r}")
    _asked = None if number is None else int(number)
    _pool = None  # the next one has this size; the threads of the old one end with their work
    with _lock:
        if _before:
            _before[:] = [(library, count()) for library, _ in _before]  # when their users have ended
        else:
            _blas().limit(limits=count())


def count() -> int:
    """Threads to use: what `set_num_threads` said, else the cores of this process, or OMP_NUM_THREADS if that is less
    (as BLAS does).
    """
    if _asked is not None:
        return _asked
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(asked))) if asked.isdecimal() else cores


def _start() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max(1, count() - 1), "caffe_fcn")
    return _pool


def _forget() -> None:
    global _pool, _lock
    _pool, _lock = None, threading.Lock()
    _users.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # threads do not survive a fork


def _run(jobs: Sequence[Callable[[], None]]) -> None:
    """Run the jobs side by side, the first one in this thread; raise the first exception after all have ended."""
    others: list[Future[None]] = []
    try:
        for job in jobs[1:]:
            others.append(_start().submit(job))
        jobs[0]()
    finally:
        errors = [other.exception() for other in others]
    for error in errors:
        if error is not None:
            raise error


def parallel(kernel: Callable[..., None], total: int, *args: Any) -> None:
    """Run ``kernel(start, stop, *args)`` over disjoint ranges that cover 0 ... total, one range per thread.

    The kernel must release the GIL, not call anything of this module that starts threads, and write to places that
    depend on the index alone, so that the result does not depend on the number of threads.
    """
    parts = min(count(), total)
    bounds = [total * i // parts for i in range(parts + 1)] if parts else []
    jobs = [functools.partial(kernel, a, b, *args) for a, b in itertools.pairwise(bounds)]
    if jobs:
        _run(jobs)


def each(function: Callable[[int], None], total: int, alone: bool = False) -> None:
    """Call ``function(index)`` for every index below total; threads take the next one when they are ready.

    Within the calls NumPy's matrix products use one thread. `alone` says that threads are not worth their start:
    the calls are made one after the other. The function obeys the rules for a kernel of `parallel`.
    """
    workers = 1 if alone else min(count(), total)
    if workers <= 1:
        for index in range(total):
            function(index)
        return
    indices = iter(range(total))  # taking the next one is atomic

    def work() -> None:
        for index in indices:
            function(index)

    with one_blas_thread():
        _run([work] * workers)


class _User:
    """Somebody for whom BLAS is limited to one thread."""


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use one thread per caller until the last caller has ended: the number is one for the whole process.

    A caller whom a KeyboardInterrupt keeps from ending here counts no longer, and the next one puts the number right.
    """
    user = _User()
    with _lock:
        _users.add(user)
        if not _before:
            _before[:] = [(library, library.get_num_threads()) for library in _blas().lib_controllers]
        if len(_users) == 1:
            _set(1)
    try:
        yield
    finally:
        with _lock:
            _users.discard(user)
            if not _users:
                _set(None)
                _before.clear()


def _set(number: int | None) -> None:
    """Give BLAS a number of threads, or those that it had before."""
    for library, before in _before:
        library.set_num_threads(before if number is None else number)


@functools.cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised C-contiguous array that is valid until the same thread asks for the same name again.

    It begins at a line of the cache, which vectors then do not cross.
    """
    size = math.prod(map(int, shape)) * np.dtype(dtype).itemsize
    if getattr(_scratch, "dropped", 0) != _dropped:
        _scratch.buffers, _scratch.dropped = {}, _dropped
    buffers: dict[str, np.ndarray] = _scratch.__dict__.setdefault("buffers", {})
    if name not in buffers or buffers[name].size < size:
        buffers.pop(name, None)  # before there is a larger one
        buffers[name] = aligned(size)
    return buffers[name][:size].view(dtype).reshape(shape)


def aligned(size: int) -> np.ndarray:
    """So many bytes of zeros that begin at a line of the cache."""
    memory = zeros(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    return memory[start:start + size]


def drop_scratch() -> None:
    """Let every thread give its scratch memory back, when it next asks for some."""
    global _dropped
    _dropped += 1
