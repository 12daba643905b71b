"""Numba's compiler, which says on its first run of a process that it works and why that is not for every start.

Kernels are kept on disk by numba: what is found there is not announced. Imported on first use.
"""

from __future__ import annotations

import sys
from typing import Any

from numba import njit
from numba.core import event

__all__ = ["njit"]

NOTICE = "caffe_fcn: compiling kernels for this processor; they are kept on disk, later starts do without\n"


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
