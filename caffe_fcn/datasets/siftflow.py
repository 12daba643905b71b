"""SIFT Flow's outdoor scenes (Liu, Yuen, Torralba, 2011), with the geometric classes of Tighe and Lazebnik, 2010."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

from caffe_fcn.formats.images import read_image

from .base import DataLayer, check_sizes, minus_mean
from .files import label_matrix, read_ids, read_mat
from .settings import Settings

MEAN = (114.578, 115.294, 108.353)  # blue, green, red
SCENES = "spatial_envelope_256x256_static_8outdoorcategories"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SIFTFlowSettings(Settings):
    """Beyond Settings: siftflow_dir, the folder of the data."""

    siftflow_dir: str


class SIFTFlowSegDataLayer(DataLayer):
    """Photos with two kinds of labels; keys of param_str: SIFTFlowSettings.

    top[0]  (batch, 3, H, W)  Images/SCENES/ID.jpg: blue, green, red, mean subtracted
    top[1]  (batch, 1, H, W)  0 ... 32 of `S` in SemanticLabels/SCENES/ID.mat, where 0 is void; here 255 is void
    top[2]  (batch, 1, H, W)  0 sky, 1 horizontal, 2 vertical, of `S` in GeoLabels/SCENES/ID.mat, where -1 is void
    """

    Settings: ClassVar[type[Settings]] = SIFTFlowSettings
    TOPS = ("data", "sem", "geo")

    def pictures(self) -> list[str]:
        """See DataLayer."""
        return read_ids(Path(self.settings.siftflow_dir) / f"{self.settings.split}.txt")

    def sample(self, name: str) -> list[np.ndarray]:
        """See DataLayer."""
        folder = Path(self.settings.siftflow_dir)
        photo = read_image(folder / "Images" / SCENES / f"{name}.jpg")
        semantic = self._labels(folder / "SemanticLabels" / SCENES / f"{name}.mat", least=0)
        geometric = self._labels(folder / "GeoLabels" / SCENES / f"{name}.mat", least=-1)
        check_sizes(name, {"photo": photo.shape[1:], "semantic labels": semantic.shape[1:],
                           "geometric labels": geometric.shape[1:]})
        return [minus_mean(photo, MEAN), semantic, geometric]

    def _labels(self, file: Path, least: int) -> np.ndarray:
        labels = label_matrix(read_mat(file, "S"), file, 255, least)
        return (np.maximum(labels, 0)[None] - 1).astype(np.uint8)
