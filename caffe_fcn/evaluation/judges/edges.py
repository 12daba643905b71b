"""Pictures of edges against what people drew."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...datasets.base import check_sizes
from ...datasets.bsds import read_boundaries
from ...datasets.files import read_depth
from ...errors import FormatError
from ..edges import Curve, Edges, Point, best_of_each
from .base import Pair, Report, percent, rank

TRUE = 127  # grey values above this are edges in a picture of the truth


@dataclasses.dataclass(frozen=True)
class EdgeJudge:
    """Counts edge pixels at each threshold, as `rules` say."""

    rules: Edges = dataclasses.field(default_factory=Edges)

    def judge(self, pair: Pair) -> np.ndarray:
        """The counts (K, 4) of a picture, see `Curve`. ShapeError for sizes that differ, FormatError."""
        strength, people = read_strength(pair.prediction), read_people(pair.truth)
        check_sizes(pair.name, {"prediction": strength.shape, "truth": people.shape[1:]})
        return self.rules.count(strength, people)

    def report(self, records: Mapping[str, np.ndarray]) -> Report:
        """ODS, OIS and AP; pictures are ranked by the best F-measure of their own."""
        total = Curve(self.rules.levels, np.sum(list(records.values()), axis=0))
        curves = {name: Curve(self.rules.levels, counts) for name, counts in records.items()}
        one, each = total.best, best_of_each(list(curves.values()))
        scores = {"ods": one.f, "ois": each.f, "ap": total.average_precision}
        own = {name: curve.best for name, curve in curves.items()}
        details = {
            "ods": dataclasses.asdict(one), "ois": dataclasses.asdict(each),
            "curve": [{"threshold": float(level), "precision": float(precision), "recall": float(recall)}
                      for level, precision, recall in zip(total.levels, total.precision, total.recall, strict=True)],
            "images": {name: dataclasses.asdict(point) for name, point in own.items()},
            "rules": dataclasses.asdict(self.rules)}
        rows = [_row("one for all pictures (ODS)", one), _row("each picture's own (OIS)", each)]
        return Report(scores, ["threshold", "at", "precision %", "recall %", "F %"], rows, details,
                      rank({name: point.f for name, point in own.items()}), "F at its own threshold")


def _row(what: str, point: Point) -> list[str]:
    at = "-" if np.isnan(point.threshold) else f"{point.threshold:.3f}"
    return [what, at, percent(point.precision), percent(point.recall), percent(point.f)]


def read_strength(path: Path) -> np.ndarray:
    """A grey picture of 8 or 16 bits as (height, width) float64 from 0 to 1. FormatError for others."""
    from ...datasets.files import DEEP, open_picture

    image = open_picture(path)
    if image.mode in ("L", "1"):
        return np.asarray(image.convert("L"), np.float64) / 255
    if image.mode in DEEP:
        return np.asarray(image, np.float64) / 65535
    raise FormatError(f"edges '{path}' must be a grey picture of 8 or 16 bits, black where there is none; got mode "
                      f"{image.mode}")


def read_people(path: Path) -> np.ndarray:
    """What each person drew, (people, height, width) bool: `groundTruth` of BSDS, or one person's picture in white."""
    if path.suffix.lower() == ".mat":
        return read_boundaries(path)
    return read_depth(path)[None] > TRUE
