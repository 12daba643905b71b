"""PCK, the share of joints that are found closely enough.

Yang and Ramanan, "Articulated human detection with flexible mixtures of parts", 2013; with the torso as the measure
Sapp and Taskar, "MODEC: multimodal decomposable models for human pose estimation", 2013.
"""

from __future__ import annotations

import numpy as np

# in the order of LSP: right ankle, knee, hip, left hip, knee, ankle, right wrist, elbow, shoulder, left shoulder ...
PAIRS = {"head top": (13,), "neck": (12,), "shoulder": (8, 9), "elbow": (7, 10), "wrist": (6, 11), "hip": (2, 3),
         "knee": (1, 4), "ankle": (0, 5)}
TORSO, HEAD = (2, 9), (12, 13)  # right hip and left shoulder; neck and head top
REFERENCES = ("torso", "head", "box")


def reference_size(truth: np.ndarray, reference: str) -> float:
    """The length, in pixels, that distances are divided by; NaN if a joint that it needs is not known.

    truth      (14, 3): x, y, and above 0 if the joint is known
    reference  "torso": from right hip to left shoulder; "head": from neck to head top; "box": the longer side of the
               box around the known joints
    """
    known = truth[:, 2] > 0
    if reference == "box":
        corners = truth[known, :2]
        return float((corners.max(axis=0) - corners.min(axis=0)).max()) if known.any() else float("nan")
    first, second = {"torso": TORSO, "head": HEAD}[reference]
    if not (known[first] and known[second]):
        return float("nan")
    return float(np.hypot(*(truth[first, :2] - truth[second, :2])))


def distances(predicted: np.ndarray, truth: np.ndarray, reference: str = "torso") -> np.ndarray:
    """How far off each joint is, in reference sizes: (14,) float64, NaN for joints that are not rated.

    predicted  (14, 2) x and y; NaN for a joint that was not found, which is infinitely far off
    truth      (14, 3), see `reference_size`

    Not rated are joints that are not known, and all if the reference is not known or has no length.
    """
    size = reference_size(truth, reference)
    if not size > 0:
        return np.full(len(truth), np.nan)
    off = np.hypot(*(predicted - truth[:, :2]).T) / size
    return np.where(truth[:, 2] > 0, np.where(np.isnan(off), np.inf, off), np.nan)


def pck(off: np.ndarray, threshold: float) -> np.ndarray:
    """Share of the people whose joint is at most `threshold` off, for each joint: (14,), NaN for joints never rated.

    off  (people, 14), see `distances`
    """
    rated = ~np.isnan(off)
    right = (np.where(rated, off, np.inf) <= threshold).sum(axis=0)
    return np.divide(right, rated.sum(axis=0), out=np.full(off.shape[1], np.nan), where=rated.any(axis=0))


def by_pairs(shares: np.ndarray) -> dict[str, float]:
    """Means of left and right, and of all joints ("mean"), of numbers (14,); NaN only if none is known."""
    return {**{name: _mean(shares[list(joints)]) for name, joints in PAIRS.items()}, "mean": _mean(shares)}


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
