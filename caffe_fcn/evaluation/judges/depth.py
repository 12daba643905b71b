"""Maps of depth against measured depths."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...datasets.base import check_sizes
from ...datasets.files import read_depth
from ...errors import FileAccessError, FormatError
from ...formats.files import existing_file
from ..depth import DepthErrors
from .base import Pair, Report, rank


@dataclasses.dataclass(frozen=True)
class DepthJudge:
    """Compares depths where one was measured.

    unit    metres that a value of 1 in a file means
    within  only true depths from the first to the second, in metres, count; never those of 0, or not finite
    clip    predictions below the first or above the second, in metres, are taken for these; None: as they are
    """

    unit: float = 0.001
    within: tuple[float, float] = (0.0, float("inf"))
    clip: tuple[float, float] | None = None

    def judge(self, pair: Pair) -> DepthErrors:
        """The errors of a picture. ShapeError for sizes that differ; FormatError for predictions that are no depths."""
        predicted, truth = (read_metres(path, self.unit) for path in (pair.prediction, pair.truth))
        check_sizes(pair.name, {"prediction": predicted.shape, "truth": truth.shape})
        low, high = self.within
        valid = np.isfinite(truth) & (truth > 0) & (truth >= low) & (truth <= high)
        if not valid.any():
            raise FormatError(f"'{pair.truth}' has no pixel with a depth that counts")
        if self.clip is not None:
            predicted = np.clip(predicted, *self.clip)
        wrong = int(np.sum(valid & ~(np.isfinite(predicted) & (predicted > 0))))
        if wrong:
            raise FormatError(f"the depths in '{pair.prediction}' must be finite and above 0; where one was measured "
                              f"{wrong} are not (--clip takes them for the nearest depth allowed)")
        return DepthErrors.of(predicted, truth, valid)

    def report(self, records: Mapping[str, DepthErrors]) -> Report:
        """Means over all pixels of all pictures; pictures are ranked by their own relative error."""
        total = DepthErrors(0, np.zeros(7))
        for record in records.values():
            total += record
        alone = {name: record.scores for name, record in records.items()}
        means = {key: float(np.mean([scores[key] for scores in alone.values()])) for key in total.scores}
        rows = [[what, *(f"{value:.4f}" for value in scores.values())]
                for what, scores in (("over all pixels", total.scores), ("mean over pictures", means))]
        details = {"pixels": total.count, "mean_of_images": means, "images": alone}
        return Report(total.scores, ["", *total.scores], rows, details,
                      rank({name: scores["rel"] for name, scores in alone.items()}, largest_first=True), "rel")


def read_metres(path: Path, unit: float) -> np.ndarray:
    """Depths of a grey picture or a .npy file, (height, width) or (1, height, width), in metres. FormatError."""
    if path.suffix.lower() != ".npy":
        return read_depth(path).astype(np.float64) * unit
    name = existing_file(path)
    try:
        values = np.load(name, allow_pickle=False)
    except PermissionError as error:
        raise FileAccessError(f"cannot read '{name}': {error.strerror}", name, error.errno) from error
    except (ValueError, OSError, EOFError) as error:
        raise FormatError(f"'{name}' is not a .npy file of numbers, or it is damaged: {error}") from error
    pixels = values[0] if values.ndim == 3 and len(values) == 1 else values
    if values.dtype.kind not in "iuf" or pixels.ndim != 2:
        raise FormatError(f"'{name}' must hold one depth a pixel (height, width), got {values.shape} of {values.dtype}")
    return pixels.astype(np.float64) * unit
