"""PASCAL VOC's segmentations (Everingham et al., "The PASCAL Visual Object Classes Challenge", 2015)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

from .files import read_label
from .segmentation import SegmentationLayer, SegmentationSettings
from .settings import Settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class VOCSettings(SegmentationSettings):
    """Beyond SegmentationSettings: voc_dir, the folder of a year (VOC2011)."""

    voc_dir: str


class VOCSegDataLayer(SegmentationLayer):
    """JPEGImages/ID.jpg and SegmentationClass/ID.png, for the ids of ImageSets/Segmentation/SPLIT.txt.

    The tops are those of SegmentationLayer, the keys of param_str those of VOCSettings.
    """

    Settings: ClassVar[type[Settings]] = VOCSettings
    LIST = "ImageSets/Segmentation/{}.txt"
    PHOTO = "JPEGImages/{}.jpg"

    @property
    def folder(self) -> Path:
        """Of the data."""
        return Path(self.settings.voc_dir)

    def label(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        return read_label(self.folder / "SegmentationClass" / f"{name}.png")
