"""Lets code that runs ahead of its time in another thread wait for its turn, before it touches what all share."""

from __future__ import annotations

import threading

_here = threading.local()


def runs_ahead(turn: threading.Event) -> None:
    """Declare that this thread does what should happen later, when `turn` is set."""
    _here.turn = turn


def wait_for_turn() -> None:
    """Block a thread that runs ahead until its turn; no other thread waits.

    For the parts of the engine that only one thread may use at a time, in the order of the program: the passes of nets
    and the random generator.
    """
    turn = getattr(_here, "turn", None)
    if turn is not None:
        turn.wait()
