"""Time engines in turn, each in a process of its own, so that a busy machine slows all alike."""

from __future__ import annotations

import math
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from common import summary

Builder = Callable[..., Callable[[], np.ndarray]]  # makes what is to be timed; this returns something to compare
TURN = 0.2  # seconds that a turn takes at least, or else the same work is done several times
PAUSE = 0.3  # seconds between turns: threads of some engines stay awake for a while
LARGEST_DIFFERENCE = 1e-3


def peak_memory() -> int | None:
    """The largest resident memory of this process so far, in bytes; None where the system does not tell."""
    try:
        with open("/proc/self/status", encoding="ascii") as file:
            table = dict(line.split(":", 1) for line in file)
        return int(table["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        return None


def _serve(build: Builder, arguments: tuple[Any, ...], pipe: Connection) -> None:
    """Send the result of a first run, then seconds per run for each request, until told to stop; peak memory."""
    try:
        work = build(*arguments)
        pipe.send(np.array(work()))
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    work()
    start = time.perf_counter()
    work()
    count = max(1, math.ceil(TURN / (time.perf_counter() - start)))
    while pipe.recv():
        start = time.perf_counter()
        for _ in range(count):
            work()
        pipe.send((time.perf_counter() - start) / count)
    pipe.send(peak_memory())


class Engines:
    """Processes that have built `builders[name](*arguments)` and run it; `results` has what that returned.

    `failures` says why an engine is not among them. `peaks`, after `time`, has each one's peak memory in bytes.
    """

    def __init__(self, builders: Mapping[str, Builder], arguments: tuple[Any, ...], threads: int) -> None:
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ[variable] = str(threads)  # the processes inherit it before they load any library
        context = multiprocessing.get_context("spawn")
        self.results: dict[str, np.ndarray] = {}
        self.failures: dict[str, str] = {}
        self.peaks: dict[str, int | None] = {}
        self._pipes, self._processes = {}, []
        for name, build in builders.items():
            pipe, far_end = context.Pipe()
            process = context.Process(target=_serve, args=(build, arguments, far_end), daemon=True)
            process.start()
            far_end.close()  # so that a dead process shows as the end of the pipe
            answer = pipe.recv()
            if isinstance(answer, str):
                self.failures[name] = answer
                continue
            self._processes.append(process)
            self._pipes[name], self.results[name] = pipe, answer

    def differences(self) -> dict[str, float]:
        """The largest difference of each engine's result from the first one's, over the largest value."""
        (first, ours), *others = self.results.items()
        differences = {}
        for name, theirs in others:
            if ours.size != theirs.size:
                raise SystemExit(f"{first} and {name} disagree: shapes {ours.shape} and {theirs.shape}")
            differences[name] = float(np.abs(ours.ravel() - theirs.ravel()).max() / np.abs(ours).max())
            if not differences[name] < LARGEST_DIFFERENCE:
                raise SystemExit(f"{first} and {name} disagree: difference {differences[name]:.2e}")
        return differences

    def time(self, rounds: int) -> dict[str, list[float]]:
        """Seconds per run, one for each of `rounds` alternating turns of each engine; the processes end."""
        seconds: dict[str, list[float]] = {name: [] for name in self._pipes}
        for _ in range(rounds):
            for name, pipe in self._pipes.items():
                time.sleep(PAUSE)
                pipe.send(True)
                seconds[name].append(pipe.recv())
        for (name, pipe), process in zip(self._pipes.items(), self._processes, strict=True):
            pipe.send(False)
            self.peaks[name] = pipe.recv()
            process.join()
        return seconds


def compared(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Summaries per engine; the fastest peer (by medians) and the ratios of the first engine's times to its times.

    The least and the greatest ratio are those of single rounds.
    """
    engines = {name: summary(values) for name, values in seconds.items()}
    ours, *peers = engines
    result: dict[str, Any] = {"engines": engines}
    if peers:
        fastest = min(peers, key=lambda name: engines[name]["median_s"])
        rounds = [mine / theirs for mine, theirs in zip(seconds[ours], seconds[fastest], strict=True)]
        result |= {
            "fastest_peer": fastest,
            "ratio_of_medians": engines[ours]["median_s"] / engines[fastest]["median_s"],
            "ratio_of_fastest": engines[ours]["min_s"] / engines[fastest]["min_s"],
            "ratio_least": min(rounds),
            "ratio_median": statistics.median(rounds),
            "ratio_greatest": max(rounds),
        }
    return result


def report(name: str, result: dict[str, Any]) -> None:
    """Print the times of all engines for one net, and the ratios; warn if the machine was busy."""
    print(f"\n{name}")
    for engine, times in result["engines"].items():
        peak = result.get("peak_bytes", {}).get(engine)
        memory = f", peak {peak / 1e9:.2f} GB" if peak else ""
        print(f"  {engine:12} median {1000 * times['median_s']:8.1f} ms, from {1000 * times['min_s']:.1f} to "
              f"{1000 * times['max_s']:.1f}{memory}")
    for engine, reason in result.get("failures", {}).items():
        print(f"  {engine:12} {reason}")
    if "fastest_peer" in result:
        print(f"  time over that of {result['fastest_peer']}: {result['ratio_of_medians']:.2f} (medians), "
              f"{result['ratio_of_fastest']:.2f} (fastest); in single rounds {result['ratio_least']:.2f} to "
              f"{result['ratio_greatest']:.2f}")
    if any(times["max_s"] > 1.5 * times["min_s"] for times in result["engines"].values()):
        print("  Runs differ by more than half: the machine was busy, so do not trust the medians.")
