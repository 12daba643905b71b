"""Reading records of training runs back."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from caffe_fcn.errors import FormatError, MissingFileError

EVENTS = "events.jsonl"


@dataclasses.dataclass
class Run:
    """A recorded run. Of iterations that were done again after a restart, only the later ones are kept."""

    folder: Path
    facts: dict[str, Any]  # run.json
    iterations: list[dict[str, Any]]
    tests: list[dict[str, Any]]
    end: dict[str, Any] | None  # None: still going on, or killed

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.resolve().name

    def series(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Iterations and values of "loss", "smoothed_loss", "lr" or "seconds"; missing ones are NaN."""
        return _columns(self.iterations, lambda event: event.get(key))

    def losses_per_label(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By loss layer: iterations and loss per label that is not ignored."""
        names = dict.fromkeys(name for event in self.iterations for name in event.get("loss_per_label", {}))
        return {name: _columns(self.iterations, lambda event, name=name: event["loss_per_label"].get(name))
                for name in names}

    def scores(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By output of each test net (several values: their mean) and segmentation score: iterations and values."""
        table: dict[str, list[tuple[int, float]]] = {}
        for event in self.tests:
            prefix = f"test {event['net']}: " if event["net"] else ""
            values = {name: np.mean(_numbers(value)) for name, value in event["scores"].items() if value}
            values |= {name.replace("_", " "): value for name, value in event.get("segmentation", {}).items()
                       if not isinstance(value, list)}
            for name, value in values.items():
                table.setdefault(prefix + name, []).append((event["iter"], np.nan if value is None else value))
        return {name: (np.array([i for i, _ in rows]), np.array([value for _, value in rows], float))
                for name, rows in table.items()}

    def segmentation(self) -> dict[str, Any] | None:
        """Scores of the last test of a segmentation net."""
        return next((event["segmentation"] for event in reversed(self.tests) if "segmentation" in event), None)


def _numbers(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], float)


def _columns(events: list[dict[str, Any]], value: Any) -> tuple[np.ndarray, np.ndarray]:
    return (np.array([event["iter"] for event in events], int), _numbers([value(event) for event in events]))


def load(folder: str | os.PathLike[str]) -> Run:
    """Read a record. Raises MissingFileError, or FormatError for a damaged line (the last may be cut off)."""
    path = Path(folder)
    if not (path / EVENTS).is_file():
        raise MissingFileError(f"'{folder}' is no record of a training run: there is no {EVENTS} in it", str(folder))
    run = Run(path, {}, [], [], None)
    if (path / "run.json").is_file():
        run.facts = json.loads((path / "run.json").read_text(encoding="utf-8"))
    lines = (path / EVENTS).read_text(encoding="utf-8").split("\n")
    again = False  # a restart: events of later iterations than its first one are to be dropped
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            kind, iteration = event["event"], event["iter"]
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # the run was killed while writing it
            raise FormatError(f"{path / EVENTS}:{number}: not an event ({error})") from error
        if kind == "start":
            again, run.end = True, None
        elif again and kind in ("iteration", "test"):
            again = False
            run.iterations = [old for old in run.iterations if old["iter"] < iteration]
            run.tests = [old for old in run.tests if old["iter"] < iteration]
        if kind == "end":
            run.end = event
        elif kind in ("iteration", "test"):
            (run.iterations if kind == "iteration" else run.tests).append(event)
    return run
