"""Batches of transformed images with their labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_fcn.errors import LayerError, ShapeError
from caffe_fcn.memory import check_room

from .records import Record, Records, Share
from .transform import Placement, Transformer
from .workers import in_threads


def empty(*shape: int) -> np.ndarray:
    """A new float32 array of any content; BlobMemoryError when there is no room for it."""
    check_room(4 * math.prod(shape), f"a batch of shape {shape} (use a smaller batch_size?)")
    return np.empty(shape, np.float32)


class ImageBatches:
    """Reads `size` records at a time; `next` gives [data (N, C, H, W), labels (N,)], or data only.

    Images are decoded and transformed in several threads, but records are taken, and random numbers drawn, one after
    the other: equal seeds give equal batches. A batch with a bad record is left out as a whole: `next` raises, and
    goes on with the records that follow it.
    """

    def __init__(self, records: Records, size: int, transformer: Transformer, with_labels: bool) -> None:
        if size < 1:
            raise LayerError("'batch_size' must be at least 1, got 0")
        self._records, self._size, self._transformer = records, size, transformer
        self._with_labels = with_labels
        first = records.first()
        shape = self._shape(first, first.load()[0].shape)
        self.shapes: list[tuple[int, ...]] = [(size, *shape), (size,)][: 1 + with_labels]

    def share(self, rank: int, count: int) -> None:
        """See Batches."""
        self._records = Share(self._records, rank, count)

    def next(self) -> list[np.ndarray]:
        """The next batch; its image size is that of its first image (or the crop's).

        Raises ShapeError when images of one batch differ in size, and what `Record.load` raises.
        """
        data = empty(*self.shapes[0])
        records = [self._records.next() for _ in range(self._size)]
        images, labels = zip(*in_threads(lambda record: record.load(), records), strict=True)
        shape = self._shape(records[0], images[0].shape)
        placements = []
        for record, image in zip(records, images, strict=True):
            if self._shape(record, image.shape) != shape:
                raise ShapeError(
                    f"{record.where}: the image has the shape {image.shape} (channels, height, width), the first of "
                    f"its batch, {records[0].where}, has {images[0].shape}; use batch_size: 1, equal sizes, or "
                    "crop_size")
            placements.append(self._transformer.draw(image.shape))
        if shape != data.shape[1:]:
            data = empty(self._size, *shape)
        in_threads(self._transformer.apply, images, placements, list(data))
        return [data, *self._label_tops(images, labels, placements, data)]

    def _label_tops(self, images: Sequence[np.ndarray], labels: Sequence[Any], placements: Sequence[Placement],
                    data: np.ndarray) -> list[np.ndarray]:
        """The tops behind `data`, from what was read and where its windows are."""
        return [np.array(labels, np.float32)] if self._with_labels else []

    def _shape(self, record: Record, image_shape: tuple[int, ...]) -> tuple[int, int, int]:
        try:
            return self._transformer.shape(image_shape)
        except ShapeError as error:
            error.message = f"{record.where}: {error.message}"
            raise
