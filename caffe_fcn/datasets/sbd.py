"""The segmentations that SBD adds to VOC (Hariharan et al., "Semantic contours from inverse detectors", 2011)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

from .files import label_matrix, read_mat
from .segmentation import SegmentationLayer, SegmentationSettings
from .settings import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class SBDDSettings(SegmentationSettings):
    """Beyond SegmentationSettings: sbdd_dir, the folder `dataset` of the archive."""

    sbdd_dir: str


class SBDDSegDataLayer(SegmentationLayer):
    """img/ID.jpg and GTcls.Segmentation of cls/ID.mat, for the ids of SPLIT.txt.

    The tops are those of SegmentationLayer, the keys of param_str those of SBDDSettings.
    """

    Settings: ClassVar[type[Settings]] = SBDDSettings
    LIST = "{}.txt"
    PHOTO = "img/{}.jpg"

    @property
    def folder(self) -> Path:
        """Of the data."""
        return Path(self.settings.sbdd_dir)

    def label(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        file = self.folder / "cls" / f"{name}.mat"
        return label_matrix(read_mat(file, "GTcls", "Segmentation"), file, 255).astype(np.uint8)
