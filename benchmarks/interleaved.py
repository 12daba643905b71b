"""Time engines in turn, each in a process of its own, so that a busy machine slows all alike."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from common import summary

Builder = Callable[..., Callable[[], np.ndarray]]  # makes what is to be timed; this returns something to compare


def _serve(build: Builder, arguments: tuple[Any, ...], pipe: Connection) -> None:
    """Send the result of a first run, then the seconds of one more run for each request, until told to stop."""
    work = build(*arguments)
    pipe.send(work())
    while pipe.recv():
        start = time.perf_counter()
        work()
        pipe.send(time.perf_counter() - start)


class Engines:
    """Processes that have built `builders[name](*arguments)` and run it once; `results` has what that returned."""

    def __init__(self, builders: Mapping[str, Builder], arguments: tuple[Any, ...], threads: int) -> None:
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ[variable] = str(threads)  # the processes inherit it before they load any library
        context = multiprocessing.get_context("spawn")
        self.results: dict[str, np.ndarray] = {}
        self._pipes, self._processes = {}, []
        for name, build in builders.items():
            self._pipes[name], far_end = context.Pipe()
            process = context.Process(target=_serve, args=(build, arguments, far_end), daemon=True)
            process.start()
            far_end.close()  # so that a dead process shows as the end of the pipe
            self._processes.append(process)
            self.results[name] = self._pipes[name].recv()

    def difference(self) -> float:
        """The largest difference between the results of the first two engines, over the largest value."""
        ours, theirs = list(self.results.values())[:2]
        if ours.shape != theirs.shape:
            raise SystemExit(f"The engines disagree: shapes {ours.shape} and {theirs.shape}")
        difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
        if not difference < 1e-3:
            raise SystemExit(f"The engines disagree: difference {difference:.2e}")
        return difference

    def time(self, rounds: int) -> dict[str, list[float]]:
        """Seconds of `rounds` alternating runs per engine; the processes end."""
        seconds: dict[str, list[float]] = {name: [] for name in self._pipes}
        for _ in range(rounds):
            for name, pipe in self._pipes.items():
                pipe.send(True)
                seconds[name].append(pipe.recv())
        for pipe, process in zip(self._pipes.values(), self._processes, strict=True):
            pipe.send(False)
            process.join()
        return seconds


def compared(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Summaries per engine, and the ratios of the first engine's times to the second's."""
    results: dict[str, Any] = {name: summary(values) for name, values in seconds.items()}
    ours, theirs = list(results.values())[:2]
    return {
        **results,
        "ratio_of_medians": ours["median_s"] / theirs["median_s"],
        "ratio_of_fastest": ours["min_s"] / theirs["min_s"],
    }


def report(results: dict[str, Any], engines: tuple[str, str]) -> None:
    """Print the times of two engines (see common.summary) and their ratio; warn if the machine was busy."""
    for engine in engines:
        times = results[engine]
        print(f"{engine:10} median {times['median_s']:.3f} s, from {times['min_s']:.3f} to {times['max_s']:.3f} s")
    ratios = f"{results['ratio_of_medians']:.2f} (medians), {results['ratio_of_fastest']:.2f} (fastest runs)"
    print(f"time of {engines[0]} over that of {engines[1]}: {ratios}")
    if any(results[engine]["max_s"] > 1.5 * results[engine]["min_s"] for engine in engines):
        print("The runs differ by more than half: the machine was busy, so do not trust the medians.")
