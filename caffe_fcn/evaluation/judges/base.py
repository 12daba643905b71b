"""What the judges share: which files belong together, judging them one by one, and the report."""

from __future__ import annotations

import dataclasses
import math
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ...errors import CaffeFcnError, FormatError, MissingFileError

Record = TypeVar("Record")
T = TypeVar("T")
Track = Callable[[Iterable[T], int], Iterable[T]]  # yields the items, of which there are so many: a progress bar


@dataclasses.dataclass(frozen=True)
class Pair:
    """A prediction and what is true: files, or for `truth` whatever the judge takes."""

    name: str
    prediction: Path
    truth: Any


@dataclasses.dataclass(frozen=True)
class Report:
    """What a judge says of all pictures.

    scores   by the names that cards have for them
    header   with `rows`, a table; the first `left` columns are text
    details  more, for programs: plain values, where numbers may be NaN
    ranking  names of pictures with a score of each, the worst first; pictures without a score are left out
    ranked   what that score is
    """

    scores: dict[str, float]
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    details: dict[str, Any]
    ranking: Sequence[tuple[str, float]]
    ranked: str
    left: int = 1


class Judge(Protocol[Record]):
    """Judges one kind of task. Instances are dataclasses, so that other processes can take them."""

    def judge(self, pair: Pair) -> Record:
        """What counts of one picture. Raises a CaffeFcnError that names the file for what cannot be compared."""

    def report(self, records: Mapping[str, Record]) -> Report:
        """Sum up; there is one record at least."""


@dataclasses.dataclass(frozen=True)
class Outcome(Generic[Record]):
    """Records by name, and a sentence for each pair that could not be judged."""

    records: dict[str, Record]
    problems: list[str]


def judge_all(judge: Judge[Record], pairs: Sequence[Pair], track: Track = lambda items, _: items,
              jobs: int = 1) -> Outcome[Record]:
    """Judge all pairs; `jobs` processes share the work. What is wrong with one does not stop the others.

    Raises CaffeFcnError if the system ends one of the processes.
    """
    found: Outcome[Record] = Outcome({}, [])
    attempt = partial(_attempt, judge)
    for pair, (record, problem) in zip(pairs, track(_results(attempt, pairs, jobs), len(pairs)), strict=True):
        if problem is None:
            found.records[pair.name] = record
        else:
            found.problems.append(f"{pair.name}: {problem}")
    return found


def _results(attempt: Callable[[Pair], T], pairs: Sequence[Pair], jobs: int) -> Iterator[T]:
    jobs = min(jobs, len(pairs))
    if jobs < 2:
        yield from map(attempt, pairs)
        return
    with ProcessPoolExecutor(jobs, initializer=_end_when_interrupted) as pool:
        try:
            yield from pool.map(attempt, pairs)
        except BrokenProcessPool as error:
            raise CaffeFcnError("the system ended a process, as it does when memory runs out; use fewer processes"
                                ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_when_interrupted() -> None:
    """Of the processes of a pool: end at Ctrl-C, rather than go on with the next picture."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _attempt(judge: Judge[Record], pair: Pair) -> tuple[Record | None, str | None]:
    """The record, or what is wrong: a sentence, as not every exception travels between processes."""
    try:
        return judge.judge(pair), None
    except (CaffeFcnError, MemoryError) as error:
        return None, str(error) or type(error).__name__


def files_below(folder: Path, endings: Sequence[str]) -> dict[str, Path]:
    """The files below a folder with one of the endings, by path from there without ending, sorted.

    Where names have several endings the first in `endings` is taken; hidden files are left out. MissingFileError if
    there is no such folder.
    """
    if not folder.is_dir():
        raise MissingFileError(f"there is no folder '{folder}' (looked from '{Path.cwd()}')", str(folder))
    files = [file for file in folder.rglob("*") if file.suffix.lower() in endings and not file.name.startswith(".")
             and file.is_file()]
    files.sort(key=lambda file: (str(file.with_suffix("")), -endings.index(file.suffix.lower())))
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in files}


def find_pairs(predictions: Path, endings: Sequence[str], truths: Mapping[str, Any], names: Sequence[str] | None = None
               ) -> Outcome[Pair]:
    """Predictions by the names of the truths; `problems` says what has no partner.

    names  only these; None: all truths

    Raises FormatError if there is nothing to compare.
    """
    if not truths:
        raise FormatError(f"nothing is known to compare '{predictions}' with: no truths were found")
    there = files_below(predictions, endings)
    found: Outcome[Pair] = Outcome({}, [])
    for name in dict.fromkeys(names if names is not None else truths):
        if name not in truths:
            found.problems.append(f"{name}: nothing is known to compare with")
        elif name not in there:
            found.problems.append(f"{name}: there is no prediction '{predictions / name}{endings[0]}'")
        else:
            found.records[name] = Pair(name, there[name], truths[name])
    if not found.records:
        raise FormatError(f"'{predictions}' has no prediction ({', '.join(endings)}) for any of "
                          f"{len(found.problems)} names{_first(found.problems)}")
    return found


def _first(problems: Sequence[str]) -> str:
    return f"; {problems[0]}" if problems else ""


def percent(value: float) -> str:
    """For tables."""
    return "-" if math.isnan(value) else f"{100 * value:.1f}"


def rank(scores: Mapping[str, float], largest_first: bool = False) -> list[tuple[str, float]]:
    """The worst first, by default the smallest; equal ones by name; without NaN."""
    known = [(name, score) for name, score in scores.items() if not math.isnan(score)]
    return sorted(known, key=lambda entry: (-entry[1] if largest_first else entry[1], entry[0]))
