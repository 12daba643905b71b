"""Which plan to take: cuDNN's first choice at first, the fastest after a while. Knows nothing of cuDNN or a GPU.

- The first request of a family (a layer, whatever the size of its images) is planned at once.
- Another size is computed without a plan the first time: images that come once, each of its own size, never wait for
  planning. It gets one when it comes again.
- From the fourth use on, other plans are tried: each call that is due anyway runs one of them with a stopwatch
  beside it. The fastest stays.
- All planning but that for new families together takes at most a tenth of the time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from .... import stats

LARGEST = 512  # plans in memory, of about half a megabyte each
REMEMBERED = 1 << 14  # requests of which we know that they came before
SHARE = 0.1  # of the time that may be spent on planning
FIRST_TRIAL = 4  # the use with which trials begin
MOST_CANDIDATES = 8
LAPS = 3  # runs of a candidate: the first one also loads the kernel

logger = logging.getLogger("caffe_fcn.gpu")
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Run = Callable[[Any], None]  # computes with the given arrays, or raises PlanError


class PlanError(Exception):
    """A plan does not run."""


class Lap(Protocol):
    """A measurement that may still be going on."""

    def stop(self) -> None:
        """Call it after the work was sent."""

    def seconds(self) -> float | None:
        """How long it took; None as long as it is not known."""


class Recent(OrderedDict[Key, Value], Generic[Key, Value]):
    """A dict that forgets what was longest not asked for by `recall`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def recall(self, key: Key) -> Value:
        """The value of a key that is there."""
        self.move_to_end(key)
        return self[key]

    def remember(self, key: Key, value: Value) -> Value:
        """Set a value."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > self._size:
            self.popitem(last=False)
        return value


class Budget:
    """Lets work take a share of the time: after each piece there is a rest."""

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._rest, self.clock, self._from = 1 / share - 1, clock, 0.0

    def allows(self) -> bool:
        """Is it time for another piece?"""
        return self.clock() >= self._from

    def spend(self, work: Callable[[], Value]) -> Value:
        """Do a piece of work."""
        start = self.clock()
        try:
            return work()
        finally:
            end = self.clock()
            self._from = end + (end - start) * self._rest


class Trial:
    """A plan and how long it took."""

    def __init__(self, run: Run) -> None:
        self.run, self.laps = run, list[Lap]()

    def best(self) -> float | None:
        """Seconds of the quickest lap; None before all are known."""
        seconds = [lap.seconds() for lap in self.laps]
        return min((s for s in seconds if s is not None), default=None) if None not in seconds else None


class Choice:
    """The plans of one request: those tried so far, those to come, the one in use (the first of `tried`)."""

    def __init__(self, candidates: Iterator[Run]) -> None:
        self._candidates = candidates
        self.tried: list[Trial] = []
        self.uses = 0
        self.settled = False  # nothing more is to be found out

    def add(self) -> bool:
        """Build the next candidate; False if there is none."""
        run = next(self._candidates, None)
        if run is None:
            return False
        stats.count("plans built")
        self.tried.append(Trial(run))
        return True

    def due(self, budget: Budget) -> Trial | None:
        """The trial to measure now, if any; settles on the fastest after the last one."""
        newest = self.tried[-1]
        if len(newest.laps) < LAPS:
            return newest
        if len(self.tried) < MOST_CANDIDATES:
            if not budget.allows():
                return None
            if budget.spend(self.add):
                return self.tried[-1]
        times = [trial.best() for trial in self.tried]
        known = [seconds for seconds in times if seconds is not None]
        if len(known) == len(times):
            self.settle([self.tried[times.index(min(known))]])
        return None

    def settle(self, trials: list[Trial]) -> None:
        """Keep these alone, one or none."""
        self.tried, self._candidates, self.settled = trials, iter(()), True

    def drop(self, trial: Trial) -> None:
        """Take out a plan that does not run; the next one takes its place."""
        self.tried.remove(trial)
        if not self.tried and not self.add():
            self.settle([])


class Plans:
    """Runs requests. candidates(request) builds one plan after the other, start_lap() a stopwatch for trials.

    With `fixed`, cuDNN's first choice is taken, always: every process gets the same bits.
    """

    def __init__(self, candidates: Callable[[Any], Iterator[Run]], start_lap: Callable[[], Lap], fixed: bool = False,
                 clock: Callable[[], float] = time.perf_counter) -> None:
        self._candidates, self._start_lap, self._fixed = candidates, start_lap, fixed
        self._budget = Budget(SHARE, clock)
        self._choices: Recent[Hashable, Choice] = Recent(LARGEST)
        self._families: Recent[Hashable, bool] = Recent(REMEMBERED)
        self._seen: Recent[Hashable, bool] = Recent(REMEMBERED)
        self._lock = threading.RLock()
        self._told = False

    def run(self, request: Any, arrays: Callable[[], Any], measured: bool = True) -> bool:
        """Compute with what `arrays` gives, called if there is a plan; False if it has to be done without one.

        Without `measured`, nothing is built or tried.
        """
        with self._lock:
            choice = self._choice(request, measured)
            if choice is None:
                stats.count("convolutions without a plan")
                return False
            choice.uses += 1
            trying = measured and not self._fixed and not choice.settled and choice.uses >= FIRST_TRIAL
            given = arrays() if choice.tried else None
            while choice.tried:
                trial = choice.due(self._budget) if trying else None
                if not choice.settled and not self._fixed:
                    stats.count("convolutions with a plan on trial")
                try:
                    self._compute(trial or choice.tried[0], given, lap=trial is not None)
                    return True
                except PlanError as error:
                    stats.count("plans failed")
                    logger.info("a plan for %s fails, the next one is taken: %s", request, error)
                    choice.drop(trial or choice.tried[0])
            stats.count("convolutions without a plan")
            return False

    def _compute(self, trial: Trial, given: Any, lap: bool) -> None:
        if not lap:
            trial.run(given)
            return
        watch = self._start_lap()
        trial.run(given)
        watch.stop()
        trial.laps.append(watch)

    def _choice(self, request: Any, may_plan: bool) -> Choice | None:
        """The plans of a request, if it has some or may get some now."""
        if request in self._choices:
            return self._choices.recall(request)
        if not may_plan:
            return None
        new_family = request.family not in self._families
        again = request in self._seen
        self._seen.remember(request, True)
        if not (self._fixed or new_family or (again and self._budget.allows())):
            return None
        self._families.remember(request.family, True)
        choice = Choice(self._candidates(request))
        found = choice.add() if new_family else self._budget.spend(choice.add)
        if not found:
            logger.log(logging.INFO if self._told else logging.WARNING, "cuDNN has no plan for %s", request)
            self._told = True
            choice.settle([])
        return self._choices.remember(request, choice)
