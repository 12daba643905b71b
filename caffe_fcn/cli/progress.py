"""A progress bar on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], total: int | None = None, what: str = "pictures") -> Iterable[T]:
    """The items, with a bar on stderr if that is a terminal; `total` says how many, where they have no length."""
    from rich.console import Console
    from rich.progress import track as bar

    return bar(items, what, total, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
