"""Joints that were found against joints that people marked."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...data.lists import read_text
from ...datasets.lsp import FOR_TRAINING, JOINTS, read_joints
from ...errors import FormatError
from ..pose import by_pairs, distances, pck
from .base import Pair, Report, percent, rank


@dataclasses.dataclass(frozen=True)
class PoseJudge:
    """Measures how far off joints are.

    thresholds  of PCK, in reference sizes, the first for the score and the ranking
    reference   see `evaluation.pose.reference_size`
    """

    thresholds: Sequence[float] = (0.2,)
    reference: str = "torso"

    def judge(self, pair: Pair) -> np.ndarray:
        """How far off each joint of a picture is, (14,). FormatError."""
        truth = pair.truth if isinstance(pair.truth, np.ndarray) else read_pose(pair.truth)
        return distances(read_pose(pair.prediction)[:, :2], truth, self.reference)

    def report(self, records: Mapping[str, np.ndarray]) -> Report:
        """PCK by pairs of joints; pictures are ranked by the share of their joints."""
        off = np.stack(list(records.values()))
        if np.isnan(off).all():
            raise FormatError(f"no picture has joints and a {self.reference} that are known")
        tables = [by_pairs(pck(off, threshold)) for threshold in self.thresholds]
        rows = [[f"{self.reference} x {threshold:g}", *map(percent, table.values())]
                for threshold, table in zip(self.thresholds, tables, strict=True)]
        own = {name: by_pairs(pck(one[None], self.thresholds[0]))["mean"] for name, one in records.items()}
        details = {
            "reference": self.reference,
            "pck": [{"threshold": threshold, **table}
                    for threshold, table in zip(self.thresholds, tables, strict=True)],
            "people_rated": int((~np.isnan(off)).any(axis=1).sum()), "joints_rated": int((~np.isnan(off)).sum()),
            "images": {name: {"pck": own[name], "off": one.tolist()} for name, one in records.items()}}
        return Report({"pck": tables[0]["mean"]}, ["PCK % within", *tables[0]], rows, details, rank(own),
                      f"PCK at {self.thresholds[0]:g}")


def read_pose(path: Path) -> np.ndarray:
    """A pose of a JSON file, as `caffe-fcn predict` writes it: (14, 3) of x, y and 1, or NaN, NaN and 0. FormatError.

    The file has a list "joints" of 14 objects in the order of LSP with numbers "x" and "y", or null for a joint that is
    not known.
    """
    try:
        joints = json.loads(read_text(path))["joints"]
        return np.array([_joint(joint) for joint in joints], np.float64).reshape(JOINTS, 3)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise FormatError(f"'{path}' must be JSON with \"joints\": {JOINTS} times {{\"x\": ..., \"y\": ...}} or null; "
                          f"{type(error).__name__}: {error}") from error


def _joint(joint: Any) -> tuple[float, float, float]:
    if joint is None:
        return math.nan, math.nan, 0.0
    place = [joint[key] for key in ("x", "y")]
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in place):
        raise ValueError(f"a joint is at {place}")
    return float(place[0]), float(place[1]), 1.0


def lsp_truths(path: Path, split: str) -> dict[str, np.ndarray]:
    """The poses (14, 3) of joints.mat by the names of the photos, im0001 ...; split: "train", "test" or "all"."""
    poses = read_joints(path)
    digits = 5 if len(poses) > 9999 else 4
    first, last = {"train": (0, FOR_TRAINING), "test": (FOR_TRAINING, len(poses)), "all": (0, len(poses))}[split]
    return {f"im{number + 1:0{digits}d}": poses[number] for number in range(first, min(last, len(poses)))}
