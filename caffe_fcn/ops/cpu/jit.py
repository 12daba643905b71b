"""Numba's compiler, which says on its first run of a process that it works and why that is not for every start.

Kernels are kept on disk by numba: what is found there is not announced. Imported on first use.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.caching import FunctionCache

__all__ = ["njit"]

NOTICE = "caffe_fcn: compiling kernels for this processor; they are kept on disk, later starts do without\n"
CODE = (b"njit", b"primitive")  # in what becomes part of kernels


def njit(cache: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Numba's `njit`. With `cache` kernels are kept on disk, and compiled anew when any file of code has changed.

    Numba by itself looks at the file of the kernel alone, not at those of the constants and primitives it is made of.
    Where there is no folder that can be written to, kernels are compiled in every process.
    """
    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(error_model="numpy", **options)(function)  # no checks for 0, which take time to compile
        if cache:
            with contextlib.suppress(RuntimeError):  # no folder to write to
                dispatcher._cache = _Cache(function)
        return dispatcher

    return compiled


class _Cache(FunctionCache):
    """What numba keeps of a kernel; obsolete when a file of code has changed."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file._source_stamp = self._cache_file._source_stamp, _code(Path(__file__).parent)

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep a compiled kernel, if there is room for it."""
        with contextlib.suppress(OSError):
            super().save_overload(signature, data)


@functools.cache
def _code(folder: Path) -> bytes:
    """A hash of all files in a folder and those below that become part of kernels."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        text = path.read_bytes()
        if any(word in text for word in CODE):
            total.update(path.name.encode() + hashlib.sha256(text).digest())
    return total.digest()


class _Notice(event.Listener):
    """Writes a line to stderr before the first kernel of this package is compiled."""

    def on_start(self, event: Any) -> None:
        """A compilation begins."""
        if event.data["dispatcher"].py_func.__module__.startswith("caffe_fcn.") and not self.given:
            self.given = True
            sys.stderr.write(NOTICE)

    def on_end(self, event: Any) -> None:
        """A compilation has ended."""

    given = False


event.register("numba:compile", _Notice())
