"""Batches of images with a label for each pixel, as data layers of forks make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import LayerError, ShapeError
from caffe_fcn.formats.images import read_image, resize

from .batches import ImageBatches, empty
from .lists import PairLine, pair_list
from .records import Records, Rounds, both
from .transform import Placement, Transformer
from .workers import in_threads

Size = tuple[int, int]  # height, width
Labels = Callable[["PairRecord", Size], np.ndarray]


class PairRecord(NamedTuple):
    """A line of a list of pairs. `labels` reads the labels (height, width) of an image of a size."""

    line: PairLine
    folder: str
    color: bool
    size: Size | None
    labels: Labels

    @property
    def where(self) -> str:
        """See Record."""
        return self.line.where

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """See Record. Raises ShapeError if the labels have another size than the image."""
        image = read_image(self.folder + self.line.name, self.where, self.color)
        if self.size:
            image = resize(image, *self.size)
        labels = self.labels(self, (image.shape[1], image.shape[2]))
        if labels.shape != image.shape[1:]:
            raise ShapeError(f"{self.where}: the image has the size {image.shape[1:]} (height, width), its labels "
                             f"{labels.shape}")
        return image, labels


def label_image(record: PairRecord) -> np.ndarray:
    """The grey values of the second file of a pair: (height, width), uint8."""
    return read_image(record.folder + record.line.labels, record.where, color=False)[0]


def mixed_labels(record: PairRecord, size: Size) -> np.ndarray:
    """The second file of a pair, resized as an image is: new values arise between those of neighbours."""
    labels = label_image(record)
    return resize(labels[None], *record.size)[0] if record.size else labels


def nearest_labels(record: PairRecord, size: Size) -> np.ndarray:
    """The second file of a pair, resized by taking the nearest label to the upper left, as OpenCV does."""
    labels = label_image(record)
    if not record.size:
        return labels
    rows, columns = (np.minimum((np.arange(new) * (old / new)).astype(int), old - 1)
                     for old, new in zip(labels.shape, record.size, strict=True))
    return labels[rows[:, None], columns]


def pair_records(
    param: Any, labels: Callable[[PairLine], Labels], generator: np.random.Generator, words: int = 2
) -> Rounds[PairRecord]:
    """The pairs that ImageDataParameter (or one with its fields) names; `labels` tells how to read those of a line.

    words  see pair_list
    """
    if not param.source:
        raise LayerError("needs 'source', a list of images and their labels")
    size = both(param, "new_height", "new_width")
    records = [PairRecord(line, param.root_folder, param.is_color, size, labels(line))
               for line in pair_list(param.source, words)]
    return Rounds(records, param.source, param.shuffle, param.rand_skip, generator)


class PairBatches(ImageBatches):
    """As ImageBatches, with labels (N, 1, H, W) behind the data; each is cut and mirrored as its image.

    fill   the label where a window passes the end of its image
    sizes  a third array (N, 1, 1, 2): height and width of the image, or of the window where that is smaller
    """

    def __init__(self, records: Records, size: int, transformer: Transformer, fill: int = 0,
                 sizes: bool = False) -> None:
        super().__init__(records, size, transformer, with_labels=False)
        self._fill, self._sizes = fill, sizes
        self.shapes += [(size, 1, *self.shapes[0][2:]), (size, 1, 1, 2)][: 1 + sizes]

    def _label_tops(self, images: Sequence[np.ndarray], labels: Sequence[Any], placements: Sequence[Placement],
                    data: np.ndarray) -> list[np.ndarray]:
        found = empty(len(data), 1, *data.shape[2:])
        in_threads(self._place, labels, placements, list(found[:, 0]))
        sizes = np.minimum([image.shape[1:] for image in images], data.shape[2:]).astype(np.float32)
        return [found, sizes.reshape(-1, 1, 1, 2)][: 1 + self._sizes]

    def _place(self, labels: np.ndarray, placement: Placement, out: np.ndarray) -> None:
        row, column, mirrored = placement
        window = labels[row:row + out.shape[0], column:column + out.shape[1]]
        target = out[:, ::-1] if mirrored else out
        target[...] = self._fill
        target[:window.shape[0], :window.shape[1]] = window


class PaddingTransformer(Transformer):
    """As Transformer, but windows larger than the image are allowed: the mean is what lies below and to the right."""

    def _padded(self, image_shape: tuple[int, ...]) -> tuple[int, ...]:
        return image_shape[0], *(max(size, self.crop) for size in image_shape[1:])

    def shape(self, image_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """See Transformer."""
        return super().shape(self._padded(image_shape))

    def draw(self, image_shape: tuple[int, ...]) -> Placement:
        """See Transformer."""
        return super().draw(self._padded(image_shape))

    def apply(self, image: np.ndarray, placement: Placement, out: np.ndarray) -> None:
        """See Transformer."""
        height, width = (min(size, whole) for size, whole in zip(image.shape[1:], out.shape[1:], strict=True))
        out[...] = 0
        start = out.shape[2] - width if placement.mirrored else 0
        super().apply(image, placement, out[:, :height, start:start + width])


class RectangleTransformer(Transformer):
    """As Transformer for a window of (height, width), None for the whole image, which is drawn in both phases."""

    def __init__(self, param: Any, window: Size | None, mirror: bool, generator: np.random.Generator) -> None:
        super().__init__(param, True, generator)
        self._window, self._mirror, self._draws = window, mirror, generator
        if window and param.HasField("mean_file"):
            raise LayerError("transform_param: give 'mean_value' instead of 'mean_file', which does not fit a window")

    def shape(self, image_shape: tuple[int, ...]) -> tuple[int, int, int]:
        """See Transformer."""
        shape = super().shape(image_shape)
        if self._window is None:
            return shape
        if any(size < part for size, part in zip(image_shape[1:], self._window, strict=True)):
            raise ShapeError(f"the window of {self._window} (height, width) is larger than the image, "
                             f"{tuple(image_shape[1:])}")
        return shape[0], *self._window

    def draw(self, image_shape: tuple[int, ...]) -> Placement:
        """See Transformer."""
        mirrored = bool(self._mirror and self._draws.integers(2))
        row, column = (int(self._draws.integers(size - part + 1)) for size, part in zip(
            image_shape[1:], self._window or image_shape[1:], strict=True))
        return Placement(row, column, mirrored)
