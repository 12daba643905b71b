"""One pool of threads per process for decoding and transforming images (both leave Python's lock while they work).

It is not that of the kernels: a pass of the net must not wait for the images of the next one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from caffe_fcn.ops.cpu.threads import count

T = TypeVar("T")
MOST = 8  # threads

_pool: ThreadPoolExecutor | None = None
_process = 0  # that the pool belongs to


def in_threads(function: Callable[..., T], *arguments: Sequence[Any]) -> list[T]:
    """``list(map(function, *arguments))``, several calls at a time; raises what the first failing call raises."""
    global _pool, _process
    if len(arguments[0]) < 2 or count() < 2:
        return list(map(function, *arguments))
    if _pool is None or _process != os.getpid():
        _pool, _process = ThreadPoolExecutor(min(MOST, count()), "caffe_fcn worker"), os.getpid()
    return list(_pool.map(function, *arguments))
