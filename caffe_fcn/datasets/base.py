"""The base of the data layers: a list of pictures, one batch at a time, in order or drawn at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from caffe_fcn.errors import LayerError, ShapeError
from caffe_fcn.layers.base import Blobs, Layer

from .settings import Settings


class DataLayer(Layer):
    """Gives the pictures of a list, each batch in the size of its pictures.

    A subclass names its `Settings` and `TOPS` and implements `pictures` and `sample`. Nothing in it needs Caffe's
    thread: `caffe_fcn.prefetch(net)` may run it ahead, and a snapshot with run state resumes at the same picture.
    """

    Settings: ClassVar[type[Settings]] = Settings
    TOPS: ClassVar[tuple[str, ...]] = ("data", "label")

    settings: Any  # of the class that `Settings` names

    # what subclasses implement

    def pictures(self) -> list[str]:
        """The names of the split, in order."""
        raise NotImplementedError

    def sample(self, name: str) -> Sequence[np.ndarray]:
        """What one picture gives: an array (channels, height, width) for each top."""
        raise NotImplementedError

    def top_names(self) -> Sequence[str]:
        """What the tops hold, in order."""
        return self.TOPS

    # the protocol

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        """Read param_str and the list. LayerError, and what reading the list raises."""
        self.settings = self.Settings.read(self.param_str)
        wanted = self.top_names()
        if bottom or len(top) != len(wanted):
            raise LayerError(f"{type(self).__name__} takes no bottom and gives {len(wanted)} tops, {', '.join(wanted)}"
                             f"; got {len(bottom)} bottoms, {len(top)} tops")
        self.names = self.pictures()
        self._shuffled = self.settings.randomize and "train" in self.settings.split
        self.draws = random.Random(self.settings.seed)
        self._next = self.draws.randint(0, len(self.names) - 1) if self._shuffled else 0
        self._batch: list[np.ndarray] | None = None
        self._before: dict[str, Any] | None = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        """Load the next batch, unless it waits already, and give the tops its shapes."""
        self._prepare(top)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        """Give the batch."""
        for blob, values in zip(top, self._prepare(top), strict=True):
            blob.data[...] = values
        self._batch = self._before = None

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        """Nothing lies below."""

    # resuming

    def run_state(self) -> dict[str, Any]:
        """Where the layer stands: what JSON holds, for `set_run_state`. A batch that waits counts as not yet read."""
        return self._before or {"next": self._next, "draws": list(self.draws.getstate()[1])}

    def set_run_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self._next = state["next"]
        self.draws.setstate((3, tuple(state["draws"]), None))
        self._batch = self._before = None

    # the batch

    def _prepare(self, top: Blobs) -> list[np.ndarray]:
        if self._batch is None:
            before = self.run_state()
            self._batch = self._load()
            self._before = before
        for blob, values in zip(top, self._batch, strict=True):
            blob.reshape(*values.shape)
        return self._batch

    def take(self) -> str:
        """The name of the next picture."""
        name = self.names[self._next % len(self.names)]
        last = len(self.names) - 1
        self._next = self.draws.randint(0, last) if self._shuffled else (self._next + 1) % (last + 1)
        return name

    def _load(self) -> list[np.ndarray]:
        names = [self.take() for _ in range(self.settings.batch)]
        samples = [self.sample(name) for name in names]
        shapes = [sample[0].shape for sample in samples]
        for name, shape in zip(names, shapes, strict=True):
            if shape != shapes[0]:
                advice = "set 'batch': 1" + (" or a 'crop'" if hasattr(self.settings, "crop") else "")
                raise ShapeError(f"a batch needs pictures of one size: '{names[0]}' has the shape {shapes[0]}, '{name}'"
                                 f" {shape}; {advice}")
        return [np.stack(arrays) for arrays in zip(*samples, strict=True)]


def minus_mean(photo: np.ndarray, mean: Sequence[float]) -> np.ndarray:
    """(channels, height, width) in float32, the mean of each channel subtracted."""
    return photo.astype(np.float32) - np.asarray(mean, np.float32)[:, None, None]


def check_sizes(name: str, sizes: dict[str, tuple[int, ...]]) -> None:
    """Raise ShapeError if what belongs to one picture differs in size (height, width); `sizes` is by what it is."""
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{what} {size[0]} x {size[1]}" for what, size in sizes.items())
        raise ShapeError(f"'{name}' must have one size (height x width), got {found}")
