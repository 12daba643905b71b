"""Compile and launch the kernels of `kernels/*.cu`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "kernels"
THREADS = 256  # of a block
MOST_BLOCKS = 1 << 16  # threads of a grid of this size go on with further elements
SMALL = 1 << 30  # elements up to which 32 bits index an array, a step of the grid beyond its end included
REALS = {"f": "float", "d": "double"}
NULL = np.uint64(0)  # a pointer to nothing


def source(topic: str) -> str:
    """The CUDA C++ of a file of kernels, with what all share before it."""
    return "\n".join((FOLDER / f"{name}.cu").read_text("utf-8") for name in ("common", topic))


def options(dtype: np.dtype, wide: bool) -> tuple[str, ...]:
    """What the compiler is told: the type of the values, and of indices (64 bits if `wide`)."""
    return "-std=c++14", f"-DREAL={REALS[dtype.char]}", f"-DWIDE={int(wide)}"


@functools.cache
def _kernel(raw_module: Any, topic: str, name: str, dtype: np.dtype, wide: bool) -> Any:
    """A kernel by name. CuPy keeps what it has compiled on the disk, and loads it once on every card."""
    return _module(raw_module, topic, dtype, wide).get_function(name)


@functools.cache
def _module(raw_module: Any, topic: str, dtype: np.dtype, wide: bool) -> Any:
    return raw_module(code=source(topic), options=options(dtype, wide))


def covers(*arrays: Any) -> bool:
    """Can kernels work on these arrays: contiguous, float32 or float64, all of one type?"""
    return arrays[0].dtype.char in REALS and all(a.dtype == arrays[0].dtype and a.flags.c_contiguous for a in arrays)


def launch(topic: str, name: str, count: int, dtype: Any, *arguments: Any) -> None:
    """Run a kernel over `count` elements on the current stream; nothing is waited for.

    dtype is that of the values; an int among the arguments is passed as index, a float as a value, anything else as
    it is. Arrays must be contiguous.
    """
    if count == 0:
        return
    import cupy

    kind = np.dtype(dtype)
    wide = max(count, *(getattr(a, "size", 0) for a in arguments)) >= SMALL
    index = np.int64 if wide else np.int32
    passed = tuple(index(a) if type(a) is int else kind.type(a) if type(a) is float else a for a in arguments)
    blocks = min(-(-count // THREADS), MOST_BLOCKS)
    _kernel(cupy.RawModule, topic, name, kind, wide)((blocks,), (THREADS,), (index(count), *passed))
