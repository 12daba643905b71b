"""The base of layers that feed a net from files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from caffe_fcn import mode
from caffe_fcn.layers.base import Blobs, Layer
from caffe_fcn.parallel import rank

from .prefetcher import Prefetcher


class Batches(Protocol):
    """An endless sequence of batches."""

    @property
    def shapes(self) -> Sequence[tuple[int, ...]]:
        """The shapes of the tops before the first batch."""

    def share(self, rank: int, count: int) -> None:
        """Leave records to others: of every `count` take the one of number `rank`. Called once, before `next`."""

    def next(self) -> list[np.ndarray]:
        """The next batch: one float32 array per top, of any shape."""


class FeedLayer(Layer):
    """Its tops are filled, and shaped, by batches that a thread makes ahead of time.

    `data_param.prefetch` says how many batches may wait (4 by default), for every type as in Caffe; 0: made when they
    are needed. The batches are the same: each layer draws from a generator of its own, seeded when it is set up.
    After an error the net can go on: the next forward gets the next batch. Where several solvers train together, each
    reads its share of the records.
    """

    bottoms = 0

    @abstractmethod
    def batches(self, generator: np.random.Generator, tops: int) -> Batches:
        """The batches, for a net that takes this many tops. They must not hold the layer."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Open the source; shape the tops."""
        batches = self.batches(np.random.default_rng(mode.generator().integers(2**63)), len(top))
        if rank.solver_count() > 1 and not self.test:  # the root alone tests, with all
            batches.share(rank.solver_rank(), rank.solver_count())
        self.feed = Prefetcher(batches.next, self.param.data_param.prefetch)
        for blob, shape in zip(top, batches.shapes, strict=True):
            blob.reshape(*shape)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Nothing: shapes come with the batches."""

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Take the next batch."""
        for blob, values in zip(top, self.feed.get(), strict=True):
            blob.reshape(*values.shape)
            blob.data[...] = values  # not `array`: batches are made on the host
