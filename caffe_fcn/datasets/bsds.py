"""BSDS500's edges, drawn by several people (Arbelaez et al., "Contour detection and image segmentation", 2011)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

from caffe_fcn.data.lists import pair_list
from caffe_fcn.errors import FormatError, LayerError
from caffe_fcn.formats.images import read_image

from .base import DataLayer, check_sizes, minus_mean
from .files import label_matrix, read_mat
from .folder import files_by_name
from .settings import VOC_MEAN, Settings

SPLITS = {"train": ("train",), "val": ("val",), "test": ("test",), "trainval": ("train", "val")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class BSDSSettings(Settings):
    """Beyond Settings:

    bsds_dir   the folder with images/SPLIT/ID.jpg and groundTruth/SPLIT/ID.mat; `split` is train, val, test or trainval
    source     or else a list: in each line a photo and a picture of its edges, white where everybody drew one
    root       put before the names of the list
    threshold  pixels count as edges where at least this share of people drew one; None: the label is the share itself
    mean       subtracted from each channel, in the order blue, green, red
    """

    bsds_dir: str | None = None
    source: str | None = None
    root: str = ""
    threshold: float | None = 0.5
    mean: tuple[float, float, float] = VOC_MEAN

    def check(self) -> None:
        """See Settings."""
        super().check()
        if (self.bsds_dir is None) == (self.source is None):
            raise LayerError("param_str must have either 'bsds_dir' or 'source'")
        if self.bsds_dir is not None and self.split not in SPLITS:
            raise LayerError(f"param_str: 'split' must be one of {', '.join(SPLITS)}, got {self.split!r}")
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise LayerError(f"param_str: need 0 < threshold <= 1, or None, got {self.threshold}")


class BSDSEdgeDataLayer(DataLayer):
    """Photos and their edges; keys of param_str: BSDSSettings.

    top[0]  (batch, 3, H, W)  blue, green, red, mean subtracted
    top[1]  (batch, 1, H, W)  1 for edges, else 0; without `threshold` the share of people who drew one

    With `source` and the default threshold the numbers are those of the layer type ImageLabelmapData.
    """

    Settings: ClassVar[type[Settings]] = BSDSSettings

    def pictures(self) -> list[str]:
        """See DataLayer. A name is a line of the list, or a split and an id."""
        s = self.settings
        if s.source is not None:
            return [f"{line.name} {line.labels}" for line in pair_list(s.source)]
        return [f"{split} {name}" for split in SPLITS[s.split]
                for name in files_by_name(Path(s.bsds_dir) / "images" / split, (".jpg",))]

    def sample(self, name: str) -> list[np.ndarray]:
        """See DataLayer."""
        s, (first, second) = self.settings, name.split(maxsplit=1)
        if s.source is not None:
            photo, share = read_image(s.root + first), read_image(s.root + second, color=False)[0] / np.float32(255)
        else:
            photo = read_image(Path(s.bsds_dir) / "images" / first / f"{second}.jpg")
            share = read_boundaries(Path(s.bsds_dir) / "groundTruth" / first / f"{second}.mat").mean(axis=0)
        check_sizes(name, {"photo": photo.shape[1:], "edges": share.shape})
        return [minus_mean(photo, s.mean), (share if s.threshold is None else share >= s.threshold)[None]]


def read_boundaries(path: Path) -> np.ndarray:
    """What each person drew: (people, height, width) bool, of `groundTruth` in a MATLAB file. FormatError."""
    people = np.asarray(read_mat(path, "groundTruth")).reshape(-1)
    drawn = []
    for person in people:
        fields = getattr(getattr(person, "dtype", None), "names", None) or ()
        if "Boundaries" not in fields or person.size != 1:
            raise FormatError(f"each cell of 'groundTruth' of '{path}' must hold a struct with the field 'Boundaries'")
        drawn.append(label_matrix(person.reshape(-1)[0]["Boundaries"], path, 1).astype(bool))
    if not drawn or len({one.shape for one in drawn}) > 1:
        raise FormatError(f"'groundTruth' of '{path}' must hold boundaries of one size, got "
                          f"{[one.shape for one in drawn]}")
    return np.stack(drawn)
