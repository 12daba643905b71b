"""Scores of edges: the F-measure for the best threshold of the data set (ODS) or of each picture (OIS), and AP.

Martin, Fowlkes and Malik, "Learning to detect natural image boundaries using local brightness, color, and texture
cues", 2004; Arbelaez, Maire, Fowlkes and Malik, "Contour detection and hierarchical image segmentation", 2011.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from .matching import match
from .thinning import suppress, thin

TOLERANCE = 0.0075  # of the diagonal: how far apart matched pixels may be, in BSDS
STEPS = 100  # between two thresholds, for ODS
LEVELS = np.linspace(0, 1, 101)  # of recall, for AP


@dataclasses.dataclass(frozen=True)
class Edges:
    """How to count.

    thresholds  number of thresholds, evenly between 0 and 1
    tolerance   how far apart matched pixels may be, in diagonals of the picture
    thinning    thin predictions after the threshold
    maxima      keep only maxima across the edges before it, see `thinning.suppress`
    """

    thresholds: int = 99
    tolerance: float = TOLERANCE
    thinning: bool = True
    maxima: bool = False

    @property
    def levels(self) -> np.ndarray:
        """The thresholds, (K,)."""
        return np.arange(1, self.thresholds + 1) / (self.thresholds + 1)

    def count(self, strength: np.ndarray, people: np.ndarray) -> np.ndarray:
        """Count edge pixels at each threshold: (K, 4) int64, see `Curve`.

        strength  (height, width), from 0 to 1
        people    (people, height, width) bool: what each of them drew

        A predicted pixel is matched if it is with anyone's; the pixels drawn by all people are counted together.
        """
        if strength.shape != people.shape[1:]:
            raise ValueError(f"predicted edges {strength.shape} and true ones {people.shape[1:]} need the same size")
        if self.maxima:
            strength = suppress(strength)
        tolerance = self.tolerance * float(np.hypot(*strength.shape))
        counts: list[np.ndarray] = []
        last: np.ndarray | None = None
        for level in self.levels:
            edges = strength >= level
            if last is None or (edges != last).any():
                counts.append(_counts(thin(edges) if self.thinning else edges, people, tolerance))
            else:
                counts.append(counts[-1])
            last = edges
        return np.stack(counts)


def _counts(edges: np.ndarray, people: np.ndarray, tolerance: float) -> np.ndarray:
    matched, recalled = np.zeros_like(edges), 0
    for drawn in people:
        ours, theirs = match(edges, drawn, tolerance)
        matched |= ours
        recalled += int(theirs.sum())
    return np.array([recalled, people.sum(), matched.sum(), edges.sum()])


@dataclasses.dataclass(frozen=True)
class Point:
    """A place on a curve."""

    threshold: float
    precision: float
    recall: float
    f: float


@dataclasses.dataclass(frozen=True)
class Curve:
    """Precision over recall, of counts (K, 4) at K thresholds: matched true, true, matched predicted, predicted pixels.

    Where nothing is true recall is 0, where nothing is predicted precision is 0.
    """

    levels: np.ndarray
    counts: np.ndarray

    @functools.cached_property
    def recall(self) -> np.ndarray:
        """(K,)"""
        return self.counts[:, 0] / np.maximum(self.counts[:, 1], 1)

    @functools.cached_property
    def precision(self) -> np.ndarray:
        """(K,)"""
        return self.counts[:, 2] / np.maximum(self.counts[:, 3], 1)

    @property
    def best(self) -> Point:
        """The largest F-measure, precision and recall being interpolated linearly between thresholds."""
        k = np.arange(len(self.levels))
        fine = np.linspace(0, len(k) - 1, (len(k) - 1) * STEPS + 1)
        level, precision, recall = (np.interp(fine, k, values)
                                    for values in (self.levels, self.precision, self.recall))
        values = f_measure(precision, recall)
        top = int(values.argmax())
        return Point(*(float(each[top]) for each in (level, precision, recall, values)))

    @property
    def best_counts(self) -> np.ndarray:
        """(4,) counts at the threshold with the largest F-measure."""
        return self.counts[f_measure(self.precision, self.recall).argmax()]

    @property
    def average_precision(self) -> float:
        """Area under the curve: precision at 101 recalls from 0 to 1, interpolated, 0 beyond the ends, times 0.01."""
        order = np.lexsort((self.precision, self.recall))
        recall, precision = self.recall[order], self.precision[order]
        last = np.append(np.diff(recall) > 0, True)  # of equal recalls the one with the best precision
        return float(np.interp(LEVELS, recall[last], precision[last], left=0, right=0).sum() * 0.01)


def f_measure(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """Harmonic mean of the two; 0 if both are."""
    both = precision + recall
    return 2 * precision * recall / np.where(both > 0, both, 1)


def best_of_each(curves: list[Curve]) -> Point:
    """OIS: each picture at its own best threshold, counts added up; the threshold of the result is NaN."""
    total = Curve(np.array([np.nan]), sum((curve.best_counts for curve in curves), np.zeros(4, np.int64))[None])
    f = f_measure(total.precision, total.recall)
    return Point(float("nan"), float(total.precision[0]), float(total.recall[0]), float(f[0]))
