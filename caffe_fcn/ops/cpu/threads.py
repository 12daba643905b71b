"""A small thread pool for kernels that release the GIL, and per-thread scratch memory.

Numba's own parallel loops are not used: their default backend may not be entered from two threads, nor after a fork.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

_pool: ThreadPoolExecutor | None = None
_scratch = threading.local()


def count() -> int:
    """Threads to use: the cores of this process, or OMP_NUM_THREADS if that is less (as BLAS does)."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(asked))) if asked.isdecimal() else cores


def _start() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max(1, count() - 1), "caffe_fcn")
    return _pool


def _forget() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # threads do not survive a fork


def parallel(kernel: Callable[..., None], total: int, *args: Any) -> None:
    """Run ``kernel(start, stop, *args)`` over disjoint ranges that cover 0 ... total, one range per thread.

    The kernel must release the GIL, not call `parallel` itself, and write to places that depend on the index alone,
    so that the result does not depend on the number of threads. The first exception is raised after all ranges have
    ended.
    """
    parts = min(count(), total)
    if parts <= 1:
        if total:
            kernel(0, total, *args)
        return
    bounds = [total * i // parts for i in range(parts + 1)]
    pool = _start()
    others = [pool.submit(kernel, a, b, *args) for a, b in itertools.pairwise(bounds[1:])]
    try:
        kernel(0, bounds[1], *args)
    finally:
        errors = [other.exception() for other in others]
    for error in errors:
        if error is not None:
            raise error


def scratch(name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised C-contiguous array that is valid until the same thread asks for the same name again."""
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    buffers: dict[str, np.ndarray] = _scratch.__dict__
    if name not in buffers or buffers[name].size < size:
        buffers[name] = np.empty(size, np.uint8)
    return buffers[name][:size].view(dtype).reshape(shape)
