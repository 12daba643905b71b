"""Where images with labels come from: databases and image lists, one record after the other, without end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from caffe_fcn.errors import FormatError, LayerError
from caffe_fcn.formats import datum
from caffe_fcn.formats.database import Reader, open_reader
from caffe_fcn.formats.images import read_image, resize

from .lists import ImageLine, image_list

AnyRecord = TypeVar("AnyRecord", bound="Record")


class Record(Protocol):
    """One image that is still to be read; `where` names it in errors."""

    @property
    def where(self) -> str:
        """Source and number of the record."""

    def load(self) -> tuple[np.ndarray, Any]:
        """Read and decode: the image (channels, height, width), uint8 or float32, and its label or labels."""


class Records(Protocol):
    """An endless sequence of records."""

    def first(self) -> Record:
        """The record that the first `next` gives; moves nothing."""

    def next(self) -> Record:
        """The next record; after the last one the first again."""


class DatumRecord(NamedTuple):
    """A record of a database."""

    where: str
    value: bytes
    color: bool | None

    def load(self) -> tuple[np.ndarray, int]:
        """See Record."""
        message = datum.read(self.value, self.where)
        return datum.to_array(message, self.where, self.color), message.label


class DatabaseRecords:
    """The records of a database in the order of their keys. After an error it starts again at the first."""

    def __init__(self, backend: str, source: str, color: bool | None) -> None:
        self._source, self._color = source, color
        self._reader: Reader = open_reader(backend, source)
        self._position: Iterator[tuple[int, tuple[bytes, bytes]]] = iter(())

    def first(self) -> DatumRecord:
        """See Records. Raises FormatError for a database without records."""
        for item in enumerate(self._reader.records()):
            return self._record(*item)
        raise FormatError(f"the database '{self._source}' has no records")

    def next(self) -> DatumRecord:
        """See Records."""
        item = next(self._position, None)
        if item is None:
            self._position = enumerate(self._reader.records())
            item = next(self._position, None)
            if item is None:
                return self.first()  # raises: there are none
        return self._record(*item)

    def _record(self, index: int, item: tuple[bytes, bytes]) -> DatumRecord:
        key, value = item
        return DatumRecord(f"record {index} of '{self._source}' (key {key.decode('utf-8', 'replace')!a})", value,
                           self._color)


class ImageRecord(NamedTuple):
    """A line of an image list."""

    line: ImageLine
    folder: str
    color: bool
    size: tuple[int, int] | None

    @property
    def where(self) -> str:
        """See Record."""
        return self.line.where

    def load(self) -> tuple[np.ndarray, int]:
        """See Record."""
        image = read_image(self.folder + self.line.name, self.where, self.color)
        return (resize(image, *self.size) if self.size else image), self.line.label


def both(param: Any, first: str, second: str) -> tuple[int, int] | None:
    """The values of two fields, or None if neither is given (or 0). Raises LayerError if only one is."""
    values = getattr(param, first), getattr(param, second)
    if bool(values[0]) != bool(values[1]):
        raise LayerError(f"give '{first}' and '{second}' both or not at all")
    return values if values[0] else None


class Share:
    """Of every `count` records the one of number `rank`, from 0, on and on over the end of the source."""

    def __init__(self, records: Records, rank: int, count: int) -> None:
        self._records, self._skip, self._count = records, rank, count

    def first(self) -> Record:
        """See Records: that of all."""
        return self._records.first()

    def next(self) -> Record:
        """See Records."""
        for _ in range(self._skip):
            self._records.next()
        self._skip = self._count - 1
        return self._records.next()


class Rounds(Generic[AnyRecord]):
    """The records of a list, in its order or shuffled anew for each round.

    rand_skip  leave out up to this many (exclusive) of those from `source` at the start, drawn
    """

    def __init__(self, records: Sequence[AnyRecord], source: str | os.PathLike[str], shuffle: bool, rand_skip: int,
                 generator: np.random.Generator) -> None:
        self._all = list(records)
        self._shuffle, self._generator = shuffle, generator
        if rand_skip > len(self._all):
            raise LayerError(f"'rand_skip' is {rand_skip}, but '{source}' lists only {len(self._all)} images")
        self._start_round()
        self._index = int(generator.integers(rand_skip)) if rand_skip else 0

    def _start_round(self) -> None:
        self._index = 0
        if self._shuffle:
            self._generator.shuffle(self._all)

    def first(self) -> AnyRecord:
        """See Records."""
        return self._all[self._index]

    def next(self) -> AnyRecord:
        """See Records."""
        record = self.first()
        self._index += 1
        if self._index == len(self._all):
            self._start_round()
        return record


class ListRecords(Rounds[ImageRecord]):
    """The images of a list.

    folder                         put before each name as it is
    size                           (height, width) to resize to, or None
    shuffle, rand_skip, generator  see Rounds
    """

    def __init__(self, source: str | os.PathLike[str], folder: str, color: bool, size: tuple[int, int] | None,
                 shuffle: bool, rand_skip: int, generator: np.random.Generator) -> None:
        records = [ImageRecord(line, folder, color, size) for line in image_list(source)]
        super().__init__(records, source, shuffle, rand_skip, generator)
