"""Record: a folder that says what a training run was, what happened in it, and shows it in a report.

    run.json              versions, machine, checksums of weights and data lists
    solver.prototxt, train_net.prototxt, test_net_0.prototxt ...
    events.jsonl          one JSON object a line: start, iteration, test, snapshot, end
    samples.png           frame, truth, prediction of a few frames of the last test (of segmentation nets)
    report.html           everything on a page, without any other file
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from caffe_fcn.errors import FileAccessError
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.net import Net
from caffe_fcn.proto.printer import to_text
from caffe_fcn.solvers import Solver
from caffe_fcn.training import charts, provenance, report
from caffe_fcn.training.labels import labelled_layers
from caffe_fcn.training.runs import EVENTS
from caffe_fcn.training.scored import ScoredNet, scored

logger = logging.getLogger("caffe_fcn")

REPORT_EVERY = 60  # seconds, at least, between two reports of a running training


class Record:
    """Follows a solver from now on; use it as a context around the training. The folder is made if need be.

    A folder that holds a record already is continued. `weights` are files that the run starts from, besides
    those that the solver file names. What cannot be written later (a full disk) is a warning and the end of the
    record: the training goes on.
    Raises FileAccessError if the folder cannot be written, NotSupportedError without matplotlib.
    """

    def __init__(self, solver: Solver, folder: str | os.PathLike[str], weights: Iterable[str] = ()) -> None:
        charts.require()
        self.solver, self.folder = solver, Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _drop_cut_line(self.folder / EVENTS)
            self._events = (self.folder / EVENTS).open("a", encoding="utf-8")
        except OSError as error:
            raise FileAccessError(f"cannot write the record '{folder}': {error.strerror}", str(folder), error.errno
                                  ) from error
        nets = (solver.net, *solver.test_nets)
        named = [name.strip() for names in solver.param_message.weights for name in names.split(",")]
        self._write("run.json", json.dumps({**provenance.describe(nets, [*named, *weights]),
                                            "classes": provenance.class_names(nets)}, indent=1))
        self._write("solver.prototxt", to_text(solver.param_message))
        self._write("train_net.prototxt", to_text(solver.net._structure()))
        for k, net in enumerate(solver.test_nets):
            self._write(f"test_net_{k}.prototxt", to_text(net._structure()))
        self._scored: list[ScoredNet | None] = [
            scored(net, count) for net, count in zip(solver.test_nets, solver.param_message.test_iter, strict=True)]
        self._losses = [layer for layer in labelled_layers(solver.net) if layer.is_loss]
        self._timer = LayerTimer(solver.net)
        self._since = self._reported = time.monotonic()
        self._say("start", {"iter": solver.iter})
        solver.add_listener(self._heard)

    def _write(self, name: str, text: str) -> None:
        with atomic_write(self.folder / name) as file:
            file.write(text.encode())

    def _say(self, event: str, facts: dict[str, Any]) -> None:
        line = {"event": event, "time": round(time.time(), 3), **facts}
        self._events.write(json.dumps(_plain(line)) + "\n")
        self._events.flush()

    def _heard(self, event: str, facts: dict[str, Any]) -> None:
        if self._events.closed:
            return
        try:
            self._take_down(event, facts)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """The record cannot be written any more; that is no reason to stop the training."""
        logger.warning("The record '%s' ends at iteration %d, the training goes on: %s", self.folder, self.solver.iter,
                       error.strerror or error)
        with contextlib.suppress(OSError):  # what is left to be flushed
            self._events.close()

    def _take_down(self, event: str, facts: dict[str, Any]) -> None:
        if event == "iteration":
            now = time.monotonic()
            facts = {**facts, "seconds": now - self._since,
                     "loss_per_label": {layer.name: layer.loss_per_label() for layer in self._losses}}
        elif event == "test":
            facts = {**facts, **self._segmentation(facts["net"])}
        self._say(event, facts)
        if event == "test" and time.monotonic() - self._reported > REPORT_EVERY:
            self._report()
        self._since = time.monotonic()  # tests and snapshots do not count as iterations

    def _segmentation(self, index: int) -> dict[str, Any]:
        """Scores of a segmentation net's test, which just ended; the sample pictures are written."""
        net = self._scored[index]
        if net is None:
            return {}
        scores, picture = net.take()
        if picture is not None:
            from PIL import Image

            with atomic_write(self.folder / "samples.png") as file:
                Image.fromarray(picture).save(file, "PNG")
        means = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")
        return {"segmentation": {**{name: getattr(scores, name) for name in means}, "iu": scores.iu,
                                 "confusion": scores.matrix}}

    def _report(self) -> None:
        report.write(self.folder)
        self._reported = time.monotonic()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
                 ) -> None:
        if self._events.closed:
            return
        reason = None if kind is None else f"{kind.__name__}: {error}"
        try:
            self._say("end", {"iter": self.solver.iter, "error": reason, "layers": self._timer.table()})
            self._events.close()
            self._report()
        except OSError as failure:
            self._give_up(failure)


def _drop_cut_line(path: Path) -> None:
    """Take away a last line without end: the run that wrote it was killed."""
    if path.exists():
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)


class LayerTimer:
    """Adds up the time that each layer of a net takes in forward and backward."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.seconds = np.zeros((2, len(net.layers)))
        self.passes = 0
        self._since = 0.0
        net.before_forward(self._begin)
        net.after_forward(lambda i: self._end(0, i))
        net.before_backward(self._begin)
        net.after_backward(lambda i: self._end(1, i))

    def _begin(self, _: int) -> None:
        self._since = time.perf_counter()

    def _end(self, direction: int, i: int) -> None:
        self.seconds[direction, i] += time.perf_counter() - self._since
        self.passes += direction == 0 and i == 0

    def table(self) -> list[dict[str, Any]]:
        """Name, type, and mean milliseconds forward and backward of each layer."""
        means = self.seconds * 1e3 / max(1, self.passes)
        wiring = self.net._wiring
        return [{"name": name, "type": kind, "forward": float(ahead), "backward": float(back)}
                for name, kind, ahead, back in zip(wiring.layer_names, wiring.types, *means, strict=True)]


def _plain(value: Any) -> Any:
    """As JSON knows it: arrays as lists, numbers that are not finite as null."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
