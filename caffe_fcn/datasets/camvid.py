"""CamVid's street scenes (Brostow et al., 2008) as SegNet's tutorial lays them out: 11 classes, 480 x 360."""

from __future__ import annotations

import dataclasses
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from caffe_fcn.data.lists import pair_list
from caffe_fcn.formats.images import read_image

from .files import read_label
from .segmentation import IGNORED, SegmentationLayer, SegmentationSettings
from .settings import Settings

VOID = 11


@dataclasses.dataclass(frozen=True, kw_only=True)
class CamVidSettings(SegmentationSettings):
    """Beyond SegmentationSettings: camvid_dir, the folder with train.txt, train, trainannot and so on."""

    camvid_dir: str
    classes: int | None = 11


class CamVidSegDataLayer(SegmentationLayer):
    """Photos and labels that the lines ``/SegNet/CamVid/train/ID.png /SegNet/CamVid/trainannot/ID.png`` name.

    Of each path its last two parts count, from camvid_dir. Label 11, void, becomes 255. The tops are those of
    SegmentationLayer, the keys of param_str those of CamVidSettings.
    """

    Settings: ClassVar[type[Settings]] = CamVidSettings

    def pictures(self) -> list[str]:
        """See DataLayer. A name is a line of the list."""
        lines = pair_list(Path(self.settings.camvid_dir) / f"{self.settings.split}.txt")
        return [f"{line.name} {line.labels}" for line in lines]

    def _file(self, name: str, part: int) -> Path:
        return Path(self.settings.camvid_dir, *PurePosixPath(name.split()[part]).parts[-2:])

    def photo(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        return read_image(self._file(name, 0))

    def label(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        label = read_label(self._file(name, 1))
        return np.where(label == VOID, np.uint8(IGNORED), label)
