"""Windows of images, as region-based detectors are trained on: the file that lists them, and batches of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import LayerError, PrototxtError, ShapeError
from caffe_fcn.formats import mean as mean_files
from caffe_fcn.formats.images import read_image, resize

from .batches import empty
from .lists import read_text
from .workers import in_threads


class Window(NamedTuple):
    """A box in an image, corners included; label 0 is the background."""

    image: str
    label: int
    overlap: float  # with an object
    corners: tuple[int, int, int, int]  # x1, y1, x2, y2
    where: str  # image entry of the window file, for errors


class Place(NamedTuple):
    """Which part of an image is warped to which part of a square."""

    source: tuple[slice, slice]
    size: tuple[int, int]  # (height, width) of the part after warping
    corner: tuple[int, int]  # (row, column) of its first pixel in the square


def read_windows(path: str | os.PathLike[str], folder: str) -> tuple[list[Window], int]:
    """All windows of a window file, and the number of channels that its last image has.

    An entry is ``# index``, the image's name (`folder` is put before it), channels, height, width, the number of
    windows, and for each ``label overlap x1 y1 x2 y2``, all separated by white space.
    Raises MissingFileError, or PrototxtError naming the entry.
    """
    file = os.fspath(path)
    words = iter(read_text(file).split())
    windows: list[Window] = []
    channels = 0
    for word in words:
        where = f"the entry after {len(windows)} windows"
        try:
            if word != "#":
                raise ValueError(f"'#' must begin the entry, got {word[:60]!r}")
            index, name = _whole(next(words)), folder + next(words)
            channels, _, _, count = [_whole(next(words)) for _ in range(4)]
            for _ in range(count):
                windows.append(_window(words, name, f"entry {index} of '{file}' ('{name}')"))
        except StopIteration:
            raise PrototxtError(f"{where} ends too early", file) from None
        except ValueError as error:
            raise PrototxtError(f"{where}: {error}", file) from None
    if not windows:
        raise PrototxtError("lists no windows", file)
    return windows, channels


def _window(words: Iterator[str], name: str, where: str) -> Window:
    label, overlap = _whole(next(words)), float(np.float32(next(words)))
    x1, y1, x2, y2 = [_whole(next(words)) for _ in range(4)]
    if x1 > x2 or y1 > y2:
        raise ValueError(f"a window must have x1 <= x2 and y1 <= y2, got x1 y1 x2 y2 = {x1} {y1} {x2} {y2}")
    return Window(name, label, overlap, (x1, y1, x2, y2), where)


def _whole(word: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,10}", word):
        raise ValueError(f"expected a whole number, got {word[:60]!a}")
    return int(word)


def place(corners: tuple[int, int, int, int], image_size: tuple[int, int], crop: int, context: int, square: bool,
          mirrored: bool) -> Place:
    """How a window gets into a square of `crop` pixels.

    With `context` the window grows so that this many pixels around it are left in the square after warping; with
    `square` it grows to a square first, which keeps its proportions. What would lie outside of the image stays empty
    in the square (mirrored with it). Numbers are float32 and rounded away from zero at .5, as in the original.
    """
    x1, y1, x2, y2 = corners
    if not context and not square:
        return Place((slice(y1, y2 + 1), slice(x1, x2 + 1)), (crop, crop), (0, 0))
    starts = np.array([y1, x1], np.float32)
    half = (np.array([y2, x2], np.float32) - starts + 1) / 2
    reach = (half.max() if square else half) * (np.float32(crop) / np.float32(crop - 2 * context))
    first, last = _round(starts + half - reach), _round(starts + half + reach)
    axes = [_place_axis(int(first[i]), int(last[i]), image_size[i], crop) for i in (0, 1)]
    row, column = axes[0].before, axes[1].after if mirrored else axes[1].before
    size = max(min(axes[0].size, crop - row), 0), max(min(axes[1].size, crop - column), 0)
    return Place((axes[0].source, axes[1].source), size, (row, column))


class _Axis(NamedTuple):
    source: slice
    size: int  # after warping
    before: int  # empty pixels, after warping
    after: int


def _place_axis(first: int, last: int, size: int, crop: int) -> _Axis:
    before, after = max(0, -first), max(0, last - size + 1)
    scale = np.float32(crop) / np.float32(last - first + 1)
    source = slice(first + before, last - after + 1)
    size, before, after = _round(np.array([source.stop - source.start, before, after], np.float32) * scale).tolist()
    return _Axis(source, size, before, after)


def _round(values: np.ndarray) -> np.ndarray:
    """The nearest whole numbers; halves away from zero."""
    return np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values).astype(np.int64)


class WindowBatches:
    """Batches of warped windows: a part of background windows, then one of windows on objects.

    param, transform  WindowDataParameter and TransformationParameter of the layer
    generator         source of the draws

    `next` gives [data (N, C, crop, crop), labels (N,)] = (pixel - mean) * scale where the image is, and 0 elsewhere.
    """

    def __init__(self, param: Any, transform: Any, generator: np.random.Generator) -> None:
        self._param, self._generator, self._crop = param, generator, transform.crop_size
        self._mirror = transform.mirror
        windows, self._channels = read_windows(param.source, param.root_folder)
        self._objects = [w for w in windows if w.overlap >= param.fg_threshold]
        self._background = [w._replace(label=0) for w in windows if w.overlap < min(param.fg_threshold,
                                                                                    param.bg_threshold)]
        self._check(transform)
        self._mean = _mean_window(transform, self._channels)
        self._images: dict[str, np.ndarray] = {}
        if param.cache_images:
            for name, where in {w.image: w.where for w in windows}.items():
                self._images[name] = read_image(name, where)
        size = param.batch_size
        self.shapes: list[tuple[int, ...]] = [(size, self._channels, self._crop, self._crop), (size,)]

    def share(self, rank: int, count: int) -> None:
        """See Batches: nothing to leave to others, everybody draws."""

    def _check(self, transform: Any) -> None:
        p = self._param
        for name, windows, condition in (("object", self._objects, f"overlap >= {p.fg_threshold:g}"),
                                         ("background", self._background, f"overlap < {p.bg_threshold:g}")):
            if not windows:
                raise LayerError(f"'{p.source}' has no {name} window ({condition}); at least one of each is needed")
        wrong = next((w for w in self._objects if w.label < 1), None)
        if wrong:
            raise LayerError(f"{wrong.where}: a window with overlap {wrong.overlap:g} is on an object, but has the "
                             f"label {wrong.label} (labels of objects begin with 1)")
        if 2 * p.context_pad >= self._crop:
            raise LayerError(f"'context_pad' {p.context_pad} on both sides leaves nothing of crop_size {self._crop}")
        if transform.HasField("mean_file") and transform.mean_value:
            raise LayerError("transform_param: give 'mean_file' or 'mean_value', not both")

    def next(self) -> list[np.ndarray]:
        """The next batch. Raises what `read_image` raises, ShapeError for an image other than its entry says."""
        data, size = empty(*self.shapes[0]), self._param.batch_size
        data[...] = 0
        objects = int(np.float32(size) * np.float32(self._param.fg_fraction))
        chosen: list[tuple[Window, bool]] = []
        for i in range(size):
            windows = self._objects if i >= size - objects else self._background
            window = windows[self._generator.integers(len(windows))]
            chosen.append((window, bool(self._mirror and self._generator.integers(2))))
        in_threads(self._warp, chosen, list(data))
        return [data, np.array([window.label for window, _ in chosen], np.float32)]

    def _warp(self, choice: tuple[Window, bool], out: np.ndarray) -> None:
        window, mirrored = choice
        image = self._images.get(window.image)
        if image is None:
            image = read_image(window.image, window.where)
        p = self._param
        spot = place(window.corners, image.shape[1:], self._crop, p.context_pad, p.crop_mode == "square", mirrored)
        outside = any(part.start < 0 or not part.start < part.stop <= size
                      for part, size in zip(spot.source, image.shape[1:], strict=True))
        if outside or len(image) != self._channels:
            raise ShapeError(f"{window.where}: the window x1 y1 x2 y2 = {window.corners} and {self._channels} channels "
                             f"do not fit the image, which has the shape {image.shape} (channels, height, width)")
        if 0 in spot.size:
            return
        part = resize(image[(slice(None), *spot.source)], *spot.size)
        target = tuple(slice(start, start + n) for start, n in zip(spot.corner, spot.size, strict=True))
        inside = (slice(None), *target)
        mean = self._mean[inside] if self._mean.shape[1] > 1 else self._mean
        out[inside] = (part[:, :, ::-1] if mirrored else part).astype(np.float32) - mean
        out[inside] *= np.float32(p.scale)


def _mean_window(transform: Any, channels: int) -> np.ndarray:
    """What is subtracted: (C, crop, crop) from the middle of a mean image, or (C or 1, 1, 1)."""
    crop = transform.crop_size
    if transform.HasField("mean_file"):
        mean = mean_files.read(transform.mean_file)
        start = (mean.shape[2] - crop) // 2
        if mean.shape[0] != channels or start < 0 or start + crop > mean.shape[1]:
            raise ShapeError(f"the mean of '{transform.mean_file}' has the shape {mean.shape} (channels, height, "
                             f"width): it needs {channels} channels, and {crop} rows and columns from {start} on")
        return mean[:, start:start + crop, start:start + crop]
    if len(transform.mean_value) not in (0, 1, channels):
        raise ShapeError(f"'mean_value' must be given once or once per channel ({channels}), "
                         f"got {len(transform.mean_value)}")
    return np.array(transform.mean_value or [0], np.float32).reshape(-1, 1, 1)
