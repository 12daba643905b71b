"""A live bar of a training run on a terminal: iterations, rate, loss, learning rate, time left."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from caffe_fcn.solvers import Solver


class Progress:
    """Follows a solver; use it as a context around `solve`."""

    def __init__(self, solver: Solver, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.bar = Bar(
            TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}  loss {task.fields[loss]}  lr {task.fields[lr]}"), TimeRemainingColumn(),
            console=self.console, transient=True)
        self._moving = False
        total = solver.param_message.max_iter
        self.task = self.bar.add_task("training", total=total, completed=solver.iter, rate="", loss="-", lr="-")
        solver.add_listener(self._follow)

    def _follow(self, event: str, facts: dict[str, Any]) -> None:
        if event == "iteration":
            if not self._moving:  # what a snapshot had done already is not progress
                self._moving = True
                self.bar.reset(self.task, completed=facts["iter"] - 1)
            speed = self.bar.tasks[0].speed
            self.bar.update(
                self.task, completed=facts["iter"], loss=f"{facts['smoothed_loss']:.4g}", lr=f"{facts['lr']:.3g}",
                rate=f"{speed:.2f} iter/s" if speed else "")

    def log_handler(self) -> logging.Handler:
        """A handler that prints log lines above the bar."""
        return _AboveBar(self.console)

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
                 ) -> None:
        self.bar.stop()


class _AboveBar(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        self.console.print(self.format(record), markup=False, highlight=False, soft_wrap=True)
