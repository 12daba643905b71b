"""Timer: how long something takes, on the wall clock."""

from __future__ import annotations

import time


class Timer:
    """Measures from `start` to `stop`; also a context manager.

    >>> with Timer() as timer:
    ...     pass
    >>> timer.ms >= 0
    True
    """

    def __init__(self) -> None:
        self._start: float | None = None
        self._elapsed = 0.0

    def start(self) -> None:
        """Begin to measure, again if it was done before."""
        self._start = time.perf_counter()

    def stop(self) -> None:
        """End the measurement; nothing happens when none is going on."""
        if self._start is not None:
            self._elapsed = time.perf_counter() - self._start
            self._start = None

    @property
    def ms(self) -> float:
        """Milliseconds of the last measurement, which is ended first if it still goes on."""
        self.stop()
        return 1000 * self._elapsed

    def __enter__(self) -> Timer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
