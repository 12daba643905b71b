"""Messages on stderr as the original's tools print them: ``I1122 12:00:00.000000  1234 solver.cpp:62] text``.

Programs that read training logs look for such lines, some of them for the name of the original's file, which messages
of the solver therefore carry; the number is that of our own line.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from typing import Any

LETTERS = {logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}


class GlogFormatter(logging.Formatter):
    """Level, date, time with microseconds, process, file and line, message."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; the lines of a longer message get the same front."""
        moment = time.strftime("%m%d %H:%M:%S", time.localtime(record.created))
        front = (f"{LETTERS.get(record.levelno, 'I')}{moment}.{int(record.created % 1 * 1e6):06d} {record.process:>5} "
                 f"{_file(record)}:{record.lineno}] ")
        return "\n".join(front + line for line in record.getMessage().split("\n"))


def _file(record: logging.LogRecord) -> str:
    if "solvers" in record.pathname:
        return "solver.cpp"
    return "caffe.cpp" if record.name == "caffe_fcn.cli" else record.filename


@contextlib.contextmanager
def messages(handler: logging.Handler | None = None) -> Iterator[None]:
    """Send the engine's messages, and Python's warnings, to `handler` (stderr) in this format, and nowhere else."""
    handler = handler or logging.StreamHandler(sys.stderr)
    handler.setFormatter(GlogFormatter())
    logger = logging.getLogger("caffe_fcn")
    before = logger.handlers, logger.level, logger.propagate, warnings.showwarning
    logger.handlers, logger.propagate, warnings.showwarning = [handler], False, _show_warning
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, level, logger.propagate, warnings.showwarning = before
        logger.setLevel(level)


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    logging.getLogger("caffe_fcn").warning("%s", message)
