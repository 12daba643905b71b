"""A stand-in for cupy.RawModule: compiles the CUDA sources as C++ for the host, where their numbers can be checked.

Threads run one after another; kernels that let them meet (__syncthreads, shared memory) do not compile.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .array import Tape, counts, ndarray

KERNEL = re.compile(r"KERNEL (\w+)\(|__global__ void (\w+)\(|^(?:MAX_POOL_MASK|READ_MASK)\((\w+),", re.MULTILINE)
BEFORE = r"""
#include <cmath>
#include <utility>
#define __global__
#define __device__
#define __restrict__ __restrict
using std::exp; using std::fabs; using std::log; using std::log1p; using std::nan; using std::pow; using std::sqrt;
using std::tanh;
struct Place { unsigned x, y, z; };
static Place threadIdx, blockIdx, blockDim, gridDim;
static int atomicMax(int* place, int value) { int old = *place; if (value > old) *place = value; return old; }
template <class... A, std::size_t... I>
static void run(void (*kernel)(A...), unsigned blocks, unsigned threads, void** args, std::index_sequence<I...>) {
    gridDim = {blocks, 1, 1}, blockDim = {threads, 1, 1};
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x) kernel(*static_cast<A*>(args[I])...);
}
template <class... A> static int count(void (*)(A...)) { return sizeof...(A); }
template <class... A> static void start(void (*kernel)(A...), unsigned blocks, unsigned threads, void** args) {
    run(kernel, blocks, threads, args, std::index_sequence_for<A...>());
}
"""
AFTER = """
extern "C" int count_{0}() {{ return count({0}); }}
extern "C" void start_{0}(unsigned b, unsigned t, void** args) {{ start({0}, b, t, args); }}
"""


def compiler() -> str | None:
    """The C++ compiler of the host, if there is one."""
    return shutil.which("g++")


@functools.cache
def _library(code: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """The compiled sources; kept on the disk for the next run."""
    names = sorted({next(filter(None, found)) for found in KERNEL.findall(code)} - {"name"})
    text = BEFORE + code + "".join(AFTER.format(name) for name in names)
    macros = [option for option in options if option.startswith("-D")]
    key = hashlib.sha256(repr((text, macros)).encode()).hexdigest()[:24]
    folder = Path(tempfile.gettempdir()) / f"caffe_fcn_kernels_{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{key}.so"
    if not target.exists():
        if compiler() is None:
            pytest.skip("no C++ compiler to run the kernels on the CPU")
        part = target.with_suffix(f".{os.getpid()}")
        subprocess.run([str(compiler()), "-std=c++17", "-O1", "-ffp-contract=off", "-fwrapv", "-shared", "-fPIC",
                        *macros, "-x", "c++", "-", "-o", str(part)], input=text, text=True, check=True)
        part.replace(target)
    return ctypes.CDLL(str(target))


class RawModule:
    """As cupy.RawModule(code=..., options=...)."""

    def __init__(self, *, code: str, options: tuple[str, ...] = ()) -> None:
        self.code, self.options = code, options

    def get_function(self, name: str) -> Any:
        """A kernel, to be called with grid, block and arguments."""
        library = _library(self.code, self.options)
        start, parameters = getattr(library, f"start_{name}"), getattr(library, f"count_{name}")()
        return functools.partial(_call, name, start, parameters)


def _call(name: str, start: Any, parameters: int, grid: tuple[int, ...], block: tuple[int, ...], args: tuple) -> None:
    """Launch: arrays are passed as pointers, NumPy scalars as they are."""
    if len(args) != parameters:  # which CUDA would not notice
        raise TypeError(f"{name} has {parameters} parameters, {len(args)} arguments given")
    if not 0 < block[0] <= 1024 or not 0 < grid[0] < 1 << 31:
        raise ValueError(f"{name}: no such launch: {grid}, {block}")
    values = [_value(name, arg) for arg in args]
    if Tape.current is not None:
        Tape.keep([arg._host for arg in args if isinstance(arg, ndarray)])
    pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
    counts["launch"] += 1
    start(grid[0], block[0], pointers)
    if Tape.current is not None:
        Tape.current.append((functools.partial(_call, name, start, parameters), [grid, block, args], {}, None))


def _value(name: str, arg: Any) -> np.ndarray:
    """The bytes of an argument."""
    if isinstance(arg, ndarray):
        if not arg.flags.c_contiguous:
            raise ValueError(f"{name}: an array is not contiguous")
        return np.array([arg.data.ptr], np.uint64)
    if isinstance(arg, np.generic):
        return np.array([arg])
    raise TypeError(f"{name}: unsupported type {type(arg)}")
