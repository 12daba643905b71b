"""A connection to another process that tells whether that one still lives."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..errors import ParallelError

BEAT = 5.0  # seconds between signs of life
PATIENCE = 120.0  # seconds of silence after which a process counts as lost
LEFT = 10.0  # seconds to wait for the other side at the end


class Finished(Exception):
    """The root has ended the training as planned."""


class Connection(Protocol):
    """The part of multiprocessing.connection.Connection that is used."""

    def send_bytes(self, buf: Any) -> None:
        """Send one message."""

    def recv_bytes(self) -> bytes:
        """Wait for one message. EOFError or OSError when the other side is gone."""

    def fileno(self) -> int:
        """The descriptor, of a socket on Unix."""

    def close(self) -> None:
        """Hang up."""


class Peer:
    """The process at the other end of `connection`, called `name` in errors.

    Messages are JSON objects with a "kind", arrays are sent as their bytes. A thread takes everything in as it comes,
    and calls `on_lost` once when the other process is gone; another one sends empty messages as signs of life.
    """

    def __init__(self, connection: Connection, name: str, on_lost: Callable[[], None] = lambda: None) -> None:
        self.name, self.on_lost = name, on_lost
        self._connection = connection
        self._messages: queue.Queue[bytes | None] = queue.Queue()  # None: no more will come
        self._heard = time.monotonic()
        self._closed = threading.Event()
        self._sending = threading.Lock()
        self._reader = threading.Thread(target=self._read, name="caffe_fcn peer", daemon=True)
        self._reader.start()
        threading.Thread(target=self._beat, name="caffe_fcn beat", daemon=True).start()

    # threads

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv_bytes()
                self._heard = time.monotonic()
                if message:
                    self._messages.put(message)
        except (EOFError, OSError, TypeError):  # TypeError: closed by this side meanwhile
            self._messages.put(None)
            if not self._closed.is_set():
                self.on_lost()

    def _beat(self) -> None:
        while not self._closed.wait(BEAT):
            self._send(b"")

    # messages

    def _send(self, message: Any) -> None:
        """Send; that the other side is gone is noticed by who waits for its answer."""
        with self._sending, contextlib.suppress(OSError, ValueError):
            self._connection.send_bytes(message)

    def send(self, kind: str, **facts: Any) -> None:
        """Send a message."""
        self._send(json.dumps({"kind": kind, **facts}).encode())

    def send_array(self, array: np.ndarray) -> None:
        """Send the values of a contiguous array."""
        if array.size:
            self._send(array.data.cast("B"))

    def receive(self, *kinds: str) -> dict[str, Any]:
        """Wait for a message of one of these kinds.

        Raises Finished if the other side has ended the training, ParallelError for what it reports, if it sends
        something else, or is gone.
        """
        message = json.loads(self._next())
        if message["kind"] == "finished":
            raise Finished
        if message["kind"] == "failed":
            raise ParallelError(message["text"])
        if message["kind"] not in kinds:
            raise ParallelError(f"{self.name} is at another point of the program: it sends '{message['kind']}', "
                                f"'{kinds[0]}' is expected; all processes must train in the same way")
        return message

    def receive_array(self, like: np.ndarray) -> np.ndarray:
        """Wait for the values of an array of the shape and type of `like`."""
        values = np.frombuffer(self._next() if like.size else b"", like.dtype)
        if values.size != like.size:
            raise ParallelError(f"{self.name} sends {values.size} values for an array of shape {like.shape}: its net "
                                "is another one")
        return values.reshape(like.shape)

    def _next(self) -> bytes:
        while True:
            try:
                message = self._messages.get(timeout=min(1.0, PATIENCE))
            except queue.Empty:
                silence = time.monotonic() - self._heard
                if silence > PATIENCE:
                    raise ParallelError(f"{self.name} has given no sign of life for {silence:.0f} s") from None
                continue
            if message is None:
                self._messages.put(None)
                raise ParallelError(f"{self.name} has ended unexpectedly; its own messages say why")
            return message

    def close(self, kind: str | None = None, **facts: Any) -> None:
        """Hang up, with a last message and after the other side has hung up if a `kind` is given."""
        if self._closed.is_set():
            return
        self._closed.set()
        if kind is not None:
            self.send(kind, **facts)
            self._say_goodbye(socket.SHUT_WR)
            self._reader.join(LEFT)
        self._say_goodbye(socket.SHUT_RDWR)  # closing alone would wait for the thread that reads
        self._connection.close()

    def _say_goodbye(self, how: int) -> None:
        """Let the other side, and the reader here, see the end; pipes of Windows can only be closed."""
        if sys.platform != "win32":
            with socket.socket(fileno=os.dup(self._connection.fileno())) as line, contextlib.suppress(OSError):
                line.shutdown(how)
