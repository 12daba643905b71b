"""How processes exchange arrays: through the host's memory, in a star around rank 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from .peer import Peer


class Transport(Protocol):
    """Joins `count` processes; all call the same methods in the same order.

    Every method raises ParallelError when another process failed or is gone, Finished when the root has finished.
    """

    rank: int
    count: int
    on_device: bool  # are arrays those of the GPU, or of the host?

    def share(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Give everybody the facts of rank 0, anything that JSON holds."""

    def broadcast(self, arrays: Sequence[Any]) -> None:
        """Overwrite contiguous arrays with those of rank 0."""

    def add_up(self, arrays: Sequence[Any]) -> None:
        """Overwrite contiguous arrays with their sums over all processes: the same bits everywhere."""

    def finish(self) -> None:
        """Rank 0 has done all that was to be done: end the others."""

    def fail(self, reason: str) -> None:
        """This process cannot go on: let the others raise ParallelError with the reason."""

    def close(self) -> None:
        """Leave, without a word."""


class HostTransport:
    """Rank 0 is connected with all others (`peers`, by rank from 1), which are connected with it alone.

    Sums are taken in the order of ranks, so that they do not depend on who comes first.
    """

    on_device = False

    def __init__(self, rank: int, peers: Sequence[Peer]) -> None:
        self.rank, self.count = rank, len(peers) + 1
        self.peers = list(peers)

    @property
    def root(self) -> Peer:
        """Rank 0, of all others."""
        return self.peers[0]

    def meet(self, kind: str) -> None:
        """Wait until all are about to do the same thing, so that nobody waits for one that has failed."""
        if self.rank:
            self.root.send(kind)
            self.root.receive(kind)
            return
        for peer in self.peers:
            peer.receive(kind)
        for peer in self.peers:
            peer.send(kind)

    def share(self, facts: dict[str, Any]) -> dict[str, Any]:
        """See Transport."""
        self.meet("share")
        if self.rank:
            return self.root.receive("facts")["facts"]
        for peer in self.peers:
            peer.send("facts", facts=facts)
        return facts

    def broadcast(self, arrays: Sequence[np.ndarray]) -> None:
        """See Transport."""
        self.meet("broadcast")
        for array in arrays:
            if self.rank:
                array[...] = self.root.receive_array(array)
            for peer in () if self.rank else self.peers:
                peer.send_array(array)

    def add_up(self, arrays: Sequence[np.ndarray]) -> None:
        """See Transport."""
        self.meet("add_up")
        for array in arrays:
            if self.rank:
                self.root.send_array(array)
                continue
            for peer in self.peers:
                array += peer.receive_array(array)
            for peer in self.peers:
                peer.send_array(array)
        for array in arrays if self.rank else ():
            array[...] = self.root.receive_array(array)

    def finish(self) -> None:
        """See Transport."""
        for peer in self.peers:
            peer.close("finished")

    def fail(self, reason: str) -> None:
        """See Transport."""
        for peer in self.peers:
            peer.close("failed", text=reason)

    def close(self) -> None:
        """See Transport."""
        for peer in self.peers:
            peer.close()
