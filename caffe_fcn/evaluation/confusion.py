"""Scores of segmentations, from a confusion matrix (Long, Shelhamer, Darrell, "Fully convolutional networks", 2015)."""

from __future__ import annotations

import dataclasses

import numpy as np


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count pixels by class: (classes, classes) int64, rows truth, columns prediction.

    truth, predicted  integer arrays of one shape; pixels whose truth is not one of the classes are left out

    Raises ValueError for other shapes, or predictions outside the classes.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(f"truth {truth.shape} and predictions {predicted.shape} need the same shape")
    counted = (truth >= 0) & (truth < classes)
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    if columns.size and not 0 <= columns.min() <= columns.max() < classes:
        raise ValueError(f"predictions must lie between 0 and {classes - 1}, got {columns.min()} to {columns.max()}")
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


@dataclasses.dataclass(frozen=True)
class Scores:
    """What a confusion matrix (C, C), rows truth, says. Classes that cannot be rated are NaN, and not in the means."""

    matrix: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """(C,) share of each class's pixels that are right; NaN for classes without pixels."""
        return _ratio(np.diag(self.matrix), self.matrix.sum(axis=1))

    @property
    def iu(self) -> np.ndarray:
        """(C,) intersection over union; NaN for classes neither there nor predicted."""
        hits = np.diag(self.matrix)
        return _ratio(hits, self.matrix.sum(axis=1) + self.matrix.sum(axis=0) - hits)

    @property
    def pixel_accuracy(self) -> float:
        """Share of all pixels that are right."""
        return float(_ratio(np.trace(self.matrix), self.matrix.sum()))

    @property
    def mean_accuracy(self) -> float:
        """Mean of `accuracy`."""
        return _mean(self.accuracy)

    @property
    def mean_iu(self) -> float:
        """Mean of `iu`."""
        return _mean(self.iu)

    @property
    def frequency_weighted_iu(self) -> float:
        """Mean of `iu`, each class weighted with its share of the pixels."""
        share = _ratio(self.matrix.sum(axis=1), self.matrix.sum())
        return float(np.nansum(np.where(share > 0, share * self.iu, 0)))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.divide(part, whole, dtype=np.float64)


def _mean(values: np.ndarray) -> float:
    rated = values[~np.isnan(values)]
    return float(rated.mean()) if rated.size else float("nan")
