"""A background thread that makes the next results while the current one is used."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from caffe_fcn.errors import LayerError, NotSupportedError

T = TypeVar("T")
MOST = 1000  # results that may wait; more would fill the memory before they are of use
PATIENCE = 5.0  # seconds to wait for a thread that is told to end


class Prefetcher(Generic[T]):
    """Calls `produce` in a thread, at most `depth` results ahead, and hands the results out in their order.

    What `produce` raises is raised by the `get` whose turn it is; the next `get` has the next result. With depth 0
    nothing runs ahead: `get` calls `produce` itself. The results are the same either way, as long as nobody else
    changes what `produce` works on. The thread starts with the first `get` and ends when this object is collected or
    the interpreter exits: `produce` must not hold this object.
    """

    def __init__(self, produce: Callable[[], T], depth: int) -> None:
        self._lane = _Lane(produce)
        self.depth = depth
        weakref.finalize(self, self._lane.stop)

    @property
    def depth(self) -> int:
        """How many results may wait. May be set at any time; no result is lost. LayerError if it is out of range."""
        return self._lane.depth

    @depth.setter
    def depth(self, depth: int) -> None:
        if not 0 <= depth <= MOST:
            raise LayerError(f"a prefetch depth is 0 (off) to {MOST}, got {depth}")
        self._lane.depth = depth
        if not depth:
            self._lane.stop()

    def get(self) -> T:
        """The next result. Raises what `produce` raised, NotSupportedError in a forked child."""
        lane = self._lane
        if os.getpid() != lane.process:
            raise NotSupportedError("this net was made before the process forked; make it in the child, or do not fork "
                                    "while a net with a data source lives")
        try:
            value, error = lane.take()
            if error is not None:
                raise error
            return value
        finally:
            error = None  # its traceback holds this frame


class _Lane:
    """What the thread and its Prefetcher share; all but `produce` under `changed`."""

    def __init__(self, produce: Callable[[], Any]) -> None:
        self.produce = produce
        self.depth = 0
        self.process = os.getpid()
        self.changed = threading.Condition()
        self.ready: deque[tuple[Any, BaseException | None]] = deque()
        self.thread: threading.Thread | None = None
        self.stopping = False

    def take(self) -> tuple[Any, BaseException | None]:
        with self.changed:
            if self.depth and self.thread is None:
                self.stopping = False
                self.thread = threading.Thread(target=self._run, name="caffe_fcn prefetch", daemon=True)
                self.thread.start()
            while self.thread is not None and not self.ready:
                self.changed.wait()
            if self.ready:
                self.changed.notify_all()
                return self.ready.popleft()
        return self._attempt()

    def stop(self) -> None:
        """End the thread; what it has made stays ready."""
        if os.getpid() != self.process:  # the thread did not survive the fork, and perhaps held the lock
            return
        with self.changed:
            thread = self.thread
            self.stopping = True
            self.changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(PATIENCE)

    def _attempt(self) -> tuple[Any, BaseException | None]:
        try:
            return self.produce(), None
        except BaseException as error:  # SystemExit of a user's code too belongs to whoever waits for the result
            return None, error

    def _run(self) -> None:
        while True:
            with self.changed:
                while len(self.ready) >= self.depth and not self.stopping:
                    self.changed.wait()
                if self.stopping:
                    self.thread = None
                    self.changed.notify_all()
                    return
            item = self._attempt()
            with self.changed:
                self.ready.append(item)
                self.changed.notify_all()
            del item
