"""Reference operations: decisions that depend on values."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np


class CheckingOps:
    """Mixed into ReferenceOps. On a GPU these do not make the processor wait for the card."""

    def at_least_one(self, marks: Any) -> Any:
        """How many of these booleans are True, but 1 if none is: a number to divide by."""
        return max(1.0, float(marks.sum()))

    def refuse(self, bad: Any, complain: Callable[[], Any]) -> None:
        """Call `complain`, which raises, if any of these booleans is True.

        On a GPU, within `postponed`, that is decided at the end: what follows must bear bad values until then.
        """
        if bad.any():
            complain()

    def to_host(self, array: Any) -> np.ndarray:
        """The values as NumPy array."""
        return np.asarray(array)

    def postponed(self) -> contextlib.AbstractContextManager[Any]:
        """A `with` block that gives the refusals to decide at its end, or None if all are decided at once."""
        return contextlib.nullcontext()
