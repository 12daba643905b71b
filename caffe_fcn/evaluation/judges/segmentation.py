"""Label pictures against label pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ...datasets.base import check_sizes
from ...datasets.files import read_label
from ...errors import FormatError, LabelError
from ..confusion import Scores, confusion
from .base import Pair, Report, percent, rank

LABELS = 256  # that a picture can hold


@dataclasses.dataclass(frozen=True)
class SegmentationJudge:
    """Counts pixels by true and predicted class.

    names    of the classes by id; empty: not known, then every id but `ignore` is a class
    ignore   the true label of pixels that do not count
    predict  a file's prediction, (height, width) uint8
    """

    names: Sequence[str] = ()
    ignore: int = 255
    predict: Callable[[Path], np.ndarray] = read_label

    def judge(self, pair: Pair) -> np.ndarray:
        """The confusion matrix (c, c) of a picture, where c is just large enough for what it holds.

        ShapeError for sizes that differ; LabelError for ids that are no classes.
        """
        truth, predicted = read_label(pair.truth), self.predict(pair.prediction)
        check_sizes(pair.name, {"label": truth.shape, "prediction": predicted.shape})
        counted = truth != self.ignore
        truth, predicted = truth[counted], predicted[counted]
        for what, ids, file in (("true", truth, pair.truth), ("predicted", predicted, pair.prediction)):
            self._check(what, ids, file)
        classes = max((int(ids.max()) + 1 for ids in (truth, predicted) if ids.size), default=0)
        return confusion(truth, predicted, classes)

    def _check(self, what: str, ids: np.ndarray, file: Path) -> None:
        classes = len(self.names) or LABELS
        wrong = np.unique(ids[(ids >= classes) | ((ids == self.ignore) & (not self.names))])
        if wrong.size:
            but = "" if self.names else f", but for {self.ignore}, which is no class"
            raise LabelError(f"the {what} labels of '{file}' must be 0 to {classes - 1}{but}; got "
                             f"{', '.join(map(str, wrong))}")

    def report(self, records: Mapping[str, np.ndarray]) -> Report:
        """The scores of all pixels of all pictures; pictures are ranked by their own mean IU."""
        classes = max(len(self.names), *(len(matrix) for matrix in records.values()))
        total = np.zeros((classes, classes), np.int64)
        for matrix in records.values():
            total[:len(matrix), :len(matrix)] += matrix
        if not total.any():
            raise FormatError(f"no pixel has a true class; all labels are {self.ignore}")
        scores, alone = Scores(total), {name: Scores(matrix) for name, matrix in records.items()}
        names = [*self.names, *map(str, range(len(self.names), classes))]
        pixels = total.sum(axis=1)
        shares = pixels / max(pixels.sum(), 1)
        rows = [[str(k), names[k], percent(float(shares[k])), percent(float(scores.accuracy[k])),
                 percent(float(scores.iu[k]))] for k in range(classes)]
        details = {
            "classes": [{"id": k, "name": names[k], "pixels": int(pixels[k]), "accuracy": float(scores.accuracy[k]),
                         "iu": float(scores.iu[k])} for k in range(classes)],
            "confusion": total.tolist(),
            "images": {name: {"pixel_accuracy": one.pixel_accuracy, "mean_iu": one.mean_iu}
                       for name, one in alone.items()}}
        means = {name: getattr(scores, name)
                 for name in ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")}
        return Report(means, ["id", "class", "share %", "accuracy %", "IU %"], rows, details,
                      rank({name: one.mean_iu for name, one in alone.items()}), "mean IU", left=2)
