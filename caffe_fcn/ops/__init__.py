"""Compute primitives behind one interface.

`ReferenceOps` (reference/) is plain array code that reads like the definitions; `CpuOps` (cpu/) and `GpuOps` (gpu/)
override what NumPy and CuPy are slow at. Layers get theirs from `current()` and never ask which device they are on.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .. import mode

if TYPE_CHECKING:
    from .reference import ReferenceOps

_chosen: ReferenceOps | None = None


@functools.cache
def cpu_ops() -> ReferenceOps:
    """The fast operations of the CPU."""
    from .cpu import CpuOps

    return CpuOps()


@functools.cache
def gpu_ops() -> ReferenceOps:
    """The fast operations of the GPU."""
    from .gpu import GpuOps

    return GpuOps()


def current() -> ReferenceOps:
    """The operations that layers use now."""
    return _chosen or (cpu_ops() if mode.device() is None else gpu_ops())


@contextlib.contextmanager
def using(ops: ReferenceOps) -> Iterator[None]:
    """Let all layers use these operations within a `with` block (for comparisons)."""
    global _chosen
    before, _chosen = _chosen, ops
    try:
        yield
    finally:
        _chosen = before
