"""Counts of what costs time on a GPU: copies between host and device, plans, graphs.

>>> with stats.watch(places=True) as seen:          # doctest: +SKIP
...     net.forward()
>>> seen["downloads"], seen["downloaded bytes"]     # doctest: +SKIP
(1, 84)
>>> seen.places                                     # doctest: +SKIP
Counter({('downloads', 'infer.py:12'): 1})

Counters: "uploads", "uploaded bytes", "downloads", "downloaded bytes" of blobs; others are counted by whoever builds
plans or captures graphs. A number that CuPy itself fetches, such as by float(array), is not seen.
"""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)
_total: Counter[str] = Counter()
_watches: list[Watch] = []


class Watch(Counter[str]):
    """What was counted within a `with` block; `places` says from which lines outside the package."""

    def __init__(self, with_places: bool = False) -> None:
        super().__init__()
        self.with_places = with_places
        self.places: Counter[tuple[str, str]] = Counter()


def count(name: str, amount: int = 1) -> None:
    """Add to a counter."""
    _total[name] += amount
    for seen in _watches:
        seen[name] += amount


def count_copy(name: str, nbytes: int) -> None:
    """Count a copy of a blob: name is "upload" or "download"."""
    count(f"{name}s")
    count(f"{name}ed bytes", nbytes)
    for seen in _watches:
        if seen.with_places:
            seen.places[f"{name}s", _place()] += 1


def counters() -> dict[str, int]:
    """All counts since the start of the process."""
    return dict(_total)


@contextlib.contextmanager
def watch(places: bool = False) -> Iterator[Watch]:
    """Count what happens within a `with` block; with `places`, also which lines of the user's code asked for copies."""
    seen = Watch(places)
    _watches.append(seen)
    try:
        yield seen
    finally:
        _watches[:] = [other for other in _watches if other is not seen]


def _place() -> str:
    """The innermost line outside the package that led here, as file:line."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
