"""The blobs of weight files: statistics of one file, differences of two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..weights import read_weights
from .shapes import Shape

CHUNK = 1 << 22  # values that are looked at together


class BlobStats(NamedTuple):
    """Statistics of a blob over its finite values; `bad` counts those that are not finite."""

    layer: str
    type: str
    number: int
    shape: Shape
    mean: float
    std: float
    smallest: float
    largest: float
    zeros: int
    bad: int


class BlobDifference(NamedTuple):
    """How a blob differs: largest absolute difference, ``|a - b| / |a|``, and the cosine of the angle between both.

    `problem` tells where there is nothing to compare; the numbers are NaN then.
    """

    layer: str
    number: int
    shape: Shape
    largest: float
    relative: float
    cosine: float
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether all values are equal."""
        return not self.problem and self.largest == 0


def weight_stats(path: str | os.PathLike[str]) -> list[BlobStats]:
    """Statistics of every blob of a caffemodel or HDF5 file. Raises MissingFileError, FormatError."""
    return [_stats(layer.name, layer.type, i, tuple(blob.shape), blob.data)
            for layer in read_weights(path) for i, blob in enumerate(layer.blobs) if blob is not None]


def compare_weights(a: str | os.PathLike[str], b: str | os.PathLike[str]) -> list[BlobDifference]:
    """The difference of every blob of two weight files, by layer name and number, in the order of the first.

    Raises MissingFileError, FormatError.
    """
    mine, theirs = _blobs(a), _blobs(b)
    found = []
    for key, (shape, values) in mine.items():
        if key not in theirs:
            found.append(_missing(key, shape, "only in the first"))
            continue
        other_shape, other = theirs[key]
        if values.size != other.size:
            found.append(_missing(key, shape, f"the shape is {shape} in the first, {other_shape} in the second"))
        else:
            found.append(_difference(key, shape, values, other))
    return found + [_missing(key, theirs[key][0], "only in the second") for key in theirs if key not in mine]


def _blobs(path: str | os.PathLike[str]) -> dict[tuple[str, int], tuple[Shape, np.ndarray]]:
    return {(layer.name, i): (tuple(blob.shape), blob.data)
            for layer in read_weights(path) for i, blob in enumerate(layer.blobs) if blob is not None}


def _missing(key: tuple[str, int], shape: Shape, problem: str) -> BlobDifference:
    return BlobDifference(*key, shape, np.nan, np.nan, np.nan, problem)


def _chunks(*arrays: np.ndarray) -> Iterator[list[np.ndarray]]:
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, flat[0].size, CHUNK):
        yield [array[start : start + CHUNK].astype(np.float64) for array in flat]


def _stats(layer: str, kind: str, number: int, shape: Shape, data: np.ndarray) -> BlobStats:
    count = zeros = bad = 0
    total = squares = 0.0
    smallest, largest = np.inf, -np.inf
    for (values,) in _chunks(data):
        finite = values[np.isfinite(values)]
        bad += values.size - finite.size
        if finite.size:
            count += finite.size
            zeros += int(np.count_nonzero(finite == 0))
            total += float(finite.sum())
            smallest, largest = min(smallest, float(finite.min())), max(largest, float(finite.max()))
    mean = total / count if count else np.nan
    for (values,) in _chunks(data):  # a second pass: no cancellation where the mean is large
        squares += float(((values[np.isfinite(values)] - mean) ** 2).sum())
    std = float(np.sqrt(squares / count)) if count else np.nan
    ends = (smallest, largest) if count else (np.nan, np.nan)
    return BlobStats(layer, kind, number, shape, mean, std, *ends, zeros, bad)


def _difference(key: tuple[str, int], shape: Shape, a: np.ndarray, b: np.ndarray) -> BlobDifference:
    largest = gap = aa = bb = ab = 0.0
    with np.errstate(invalid="ignore"):
        for mine, theirs in _chunks(a, b):
            equal = (mine == theirs) | (np.isnan(mine) & np.isnan(theirs))
            distance = np.where(equal, 0, np.abs(mine - theirs))
            largest = max(largest, float(np.nan_to_num(distance, nan=np.inf, posinf=np.inf).max()))
            gap += float((distance**2).sum())
            aa, bb, ab = aa + float((mine**2).sum()), bb + float((theirs**2).sum()), ab + float((mine * theirs).sum())
    relative = 0.0 if largest == 0 else float(np.sqrt(gap / aa)) if aa > 0 else np.inf
    cosine = 1.0 if largest == 0 else ab / np.sqrt(aa * bb) if aa > 0 and bb > 0 else np.nan
    return BlobDifference(*key, shape, largest, relative, float(min(cosine, 1.0)))
