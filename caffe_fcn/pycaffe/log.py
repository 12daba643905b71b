"""`caffe.init_log` and `caffe.log`: the engine's messages, through Python's `logging` under the name caffe_fcn."""

from __future__ import annotations

import logging

LEVELS = (logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)  # by the number that Caffe gives them
_handler: logging.Handler | None = None


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Show the engine's messages from a level on: 0 information, 1 warnings, 2 errors, 3 fatal errors.

    stderr  False leaves it to the handlers that the program has set up; messages then only pass the level
    Raises ValueError for another level.
    """
    global _handler
    if level not in range(len(LEVELS)):
        raise ValueError(f"a log level is 0 (information), 1 (warnings), 2 (errors) or 3 (fatal), got {level!r}")
    logger = logging.getLogger("caffe_fcn")
    logger.setLevel(LEVELS[level])
    if _handler is not None:
        logger.removeHandler(_handler)
        _handler = None
    if stderr:
        _handler = logging.StreamHandler()
        _handler.setFormatter(logging.Formatter("%(levelname).1s%(asctime)s] %(message)s", "%m%d %H:%M:%S"))
        logger.addHandler(_handler)


def log(message: str) -> None:
    """Write a line of one's own among the engine's messages, at the level of information."""
    logging.getLogger("caffe_fcn").info("%s", message)
