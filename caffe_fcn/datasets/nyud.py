"""NYUDv2's rooms with depth (Silberman et al., 2012), with the 40 classes of Gupta, Arbelaez and Malik, 2013."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from caffe_fcn.errors import FormatError
from caffe_fcn.formats.images import read_image

from .base import DataLayer, check_sizes, minus_mean
from .files import label_matrix, read_depth, read_ids, read_mat
from .settings import Settings, check_tops

COLOR_MEAN = (116.190, 97.203, 92.318)  # blue, green, red
HHA_MEAN = (132.431, 94.076, 118.477)  # horizontal disparity, height above ground, angle with gravity
LOG_DEPTH_MEAN = 7.844  # of the natural logarithm of millimetres
KINDS = ("color", "depth", "hha", "label", "mask")


@dataclasses.dataclass(frozen=True, kw_only=True)
class NYUDSettings(Settings):
    """Beyond Settings:

    nyud_dir  the folder of the data
    tops      what the tops hold, in order, of "color", "depth", "hha", "label", "mask"
    """

    nyud_dir: str
    tops: tuple[str, ...]

    def check(self) -> None:
        """See Settings."""
        super().check()
        check_tops(self.tops, KINDS)


class NYUDSegDataLayer(DataLayer):
    """The tops that `tops` names, of the scenes in SPLIT.txt; keys of param_str: NYUDSettings.

    color  (batch, 3, H, W)  data/images/img_ID.png: blue, green, red, mean subtracted
    hha    (batch, 3, H, W)  data/hha/img_ID.png in the order of its channels, mean subtracted
    depth  (batch, 1, H, W)  logarithm of data/depth/img_ID.png (millimetres), mean subtracted
    label  (batch, 1, H, W)  0 ... 39 of `segmentation` in segmentation/img_ID.mat, where 0 is void; here 255 is void
    mask   (batch, 1, H, W)  1 where the depth is known, 0 where the picture has 0; `depth` is 0 there

    Without a mask among the tops a depth of 0 is an error: it has no logarithm.
    """

    Settings: ClassVar[type[Settings]] = NYUDSettings

    def top_names(self) -> Sequence[str]:
        """See DataLayer."""
        return self.settings.tops

    def _file(self, folder: str, name: str, ending: str = ".png") -> Path:
        return Path(self.settings.nyud_dir) / folder / f"img_{name}{ending}"

    def pictures(self) -> list[str]:
        """See DataLayer."""
        return read_ids(Path(self.settings.nyud_dir) / f"{self.settings.split}.txt")

    def sample(self, name: str) -> list[np.ndarray]:
        """See DataLayer."""
        arrays = {kind: getattr(self, f"_{kind}")(name) for kind in self.settings.tops}
        check_sizes(name, {kind: array.shape[1:] for kind, array in arrays.items()})
        return list(arrays.values())

    def _color(self, name: str) -> np.ndarray:
        return minus_mean(read_image(self._file("data/images", name)), COLOR_MEAN)

    def _hha(self, name: str) -> np.ndarray:
        return minus_mean(read_image(self._file("data/hha", name))[::-1], HHA_MEAN)

    def _depth(self, name: str) -> np.ndarray:
        file = self._file("data/depth", name)
        depth = read_depth(file)[None]
        known = depth > 0
        if not known.all() and "mask" not in self.settings.tops:
            raise FormatError(f"depth '{file}' has {np.sum(~known)} pixels without a depth (0): take data whose holes "
                              "are filled, or add 'mask' to the tops")
        return np.where(known, np.log(np.where(known, depth, 1)) - np.float32(LOG_DEPTH_MEAN), np.float32(0))

    def _mask(self, name: str) -> np.ndarray:
        return read_depth(self._file("data/depth", name))[None] > 0

    def _label(self, name: str) -> np.ndarray:
        file = self._file("segmentation", name, ".mat")
        return (label_matrix(read_mat(file, "segmentation"), file, 255)[None] - 1).astype(np.uint8)
