"""What a net predicts, in place of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...datasets.files import find_picture, read_ids
from ...datasets.folder import LABELS, PHOTOS
from ...zoo.predict import Predictor
from .base import Outcome, Pair


class NetLabels:
    """Segments photos with a net of the project; errors are those of `Predictor`."""

    def __init__(self, model: str, weights: str | None = None) -> None:
        self._predictor = Predictor(model, weights)

    def __call__(self, photo: Path) -> np.ndarray:
        """(height, width) uint8 ids of the pixels of a photo."""
        return np.asarray(self._predictor(photo).pictures[".png"], np.uint8)


def voc_pairs(folder: Path, split: str, names: Sequence[str] | None = None) -> Outcome[Pair]:
    """The photos and labels of a list of a VOC-style folder; `problems` says what is missing.

    names  only these, instead of the list
    """
    found: Outcome[Pair] = Outcome({}, [])
    for name in names if names is not None else read_ids(folder / "ImageSets/Segmentation" / f"{split}.txt"):
        photo = find_picture(folder / "JPEGImages", name, PHOTOS)
        label = find_picture(folder / "SegmentationClass", name, LABELS)
        missing = [str(file) for file in (photo, label) if not file.is_file()]
        if missing:
            found.problems.append(f"{name}: there is no file '{missing[0]}'")
        else:
            found.records[name] = Pair(name, photo, label)
    return found
