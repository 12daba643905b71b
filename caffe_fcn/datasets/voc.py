"""PASCAL VOC's segmentations (Everingham et al., "The PASCAL Visual Object Classes Challenge", 2015)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

from caffe_fcn.formats.images import read_image

from .files import read_ids, read_label
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

    @property
    def folder(self) -> Path:
        """Of the data."""
        return Path(self.settings.voc_dir)

    def pictures(self) -> list[str]:
        """See DataLayer."""
        return read_ids(self.folder / "ImageSets" / "Segmentation" / f"{self.settings.split}.txt")

    def photo(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        return read_image(self.folder / "JPEGImages" / f"{name}.jpg")

    def label(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        return read_label(self.folder / "SegmentationClass" / f"{name}.png")
