"""Decisions that depend on values, without waiting for the card: they are postponed to the end of a pass."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_here = threading.local()  # .open: the Refusals of the innermost `postponed` block of a thread


class Refusals:
    """Flags on the card with what to do if one is set. `layer` is the index of the layer that computes now."""

    def __init__(self) -> None:
        self.layer = -1
        self._waiting: list[tuple[int, Any, Callable[[], Any]]] = []

    def add(self, flag: Any, complain: Callable[[], Any]) -> None:
        """Remember a flag, a boolean array of one element."""
        self._waiting.append((self.layer, flag, complain))

    def add_all(self, others: Refusals) -> None:
        """Remember all that `others` do, such as those of a graph that has run again."""
        self._waiting += others._waiting

    def found(self) -> Iterator[tuple[int, Callable[[], Any]]]:
        """Those whose flag is set now, as (layer, complain); may be asked again after a graph has run again."""
        for layer, flag, complain in self._waiting:
            if bool(flag):
                yield layer, complain


class GpuChecking:
    """Mixed into GpuOps."""

    def at_least_one(self, marks: Any) -> Any:
        """How many of these booleans are True, at least 1: an array of one number, exact up to 2**24."""
        return marks.sum().clip(1, None).astype(np.float32)

    def refuse(self, bad: Any, complain: Callable[[], Any]) -> None:
        """See CheckingOps.refuse."""
        refusals: Refusals | None = getattr(_here, "open", None)
        flag = bad.any()
        if refusals is not None:
            refusals.add(flag, complain)
        elif bool(flag):
            complain()

    def to_host(self, array: Any) -> np.ndarray:
        """A NumPy array with the values: waits for the card."""
        return array.get()

    @contextlib.contextmanager
    def postponed(self) -> Iterator[Refusals]:
        """A `with` block in which `refuse` only remembers; decide with `found` at its end."""
        before = getattr(_here, "open", None)
        _here.open = refusals = Refusals()
        try:
            yield refusals
        finally:
            _here.open = before
