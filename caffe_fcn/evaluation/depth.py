"""Errors of depths, as Eigen, Puhrsch and Fergus, "Depth map prediction from a single image", 2014, measure them."""

from __future__ import annotations

import dataclasses

import numpy as np

RATIO = 1.25
SUMS = ("rel", "log10", "rmse", "rmse_log", "delta1", "delta2", "delta3")


@dataclasses.dataclass(frozen=True)
class DepthErrors:
    """Sums over pixels, which add up over pictures, and the means that they give.

    count  pixels
    sums   (7,) of |p - t| / t, |log10 p - log10 t|, (p - t)^2, (ln p - ln t)^2 and of max(p / t, t / p) being less than
           1.25, 1.25^2, 1.25^3, for predictions p and true depths t
    """

    count: int
    sums: np.ndarray

    @classmethod
    def of(cls, predicted: np.ndarray, truth: np.ndarray, valid: np.ndarray) -> DepthErrors:
        """Compare two maps of one shape, in metres, where `valid`, bool, is set; there both must be above 0."""
        p, t = predicted[valid].astype(np.float64), truth[valid].astype(np.float64)
        if not ((p > 0) & (t > 0) & np.isfinite(p) & np.isfinite(t)).all():
            raise ValueError("depths must be above 0 and finite where they are compared")
        logs = np.log(p) - np.log(t)
        ratio = np.maximum(p / t, t / p)
        terms = [np.abs(p - t) / t, np.abs(logs) / np.log(10), (p - t) ** 2, logs**2,
                 *(ratio < RATIO**k for k in (1, 2, 3))]
        return cls(p.size, np.array([term.sum() for term in terms], np.float64))

    def __add__(self, other: DepthErrors) -> DepthErrors:
        return DepthErrors(self.count + other.count, self.sums + other.sums)

    @property
    def scores(self) -> dict[str, float]:
        """By name: rel, log10, rmse (metres), rmse_log (natural logarithm), delta1, 2, 3; NaN if no pixel counts."""
        means = self.sums / self.count if self.count else np.full(len(SUMS), np.nan)
        return {name: float(np.sqrt(mean) if name.startswith("rmse") else mean)
                for name, mean in zip(SUMS, means, strict=True)}
