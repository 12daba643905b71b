"""Leeds Sports Poses (Johnson and Everingham, 2010): photos of people and where their 14 joints are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from caffe_fcn.errors import FormatError, LayerError
from caffe_fcn.formats.images import read_image
from caffe_fcn.pose.discs import RADIUS, label_maps

from .base import DataLayer, minus_mean
from .files import read_mat
from .settings import VOC_MEAN, Settings, check_tops

JOINTS = 14
KINDS = ("data", "maps", "classes", "joints")
SPLITS = ("train", "test", "trainval", "all")
FOR_TRAINING = 1000  # of the 2000 photos the first are for training, the others for tests


@dataclasses.dataclass(frozen=True, kw_only=True)
class LSPSettings(Settings):
    """Beyond Settings:

    lsp_dir  the folder with images/im0001.jpg ... and joints.mat
    split    "train": the first 1000 photos, "test": the others, "all" and "trainval": both
    tops     what the tops hold, in order, of "data", "maps", "classes", "joints"
    radius   of the disc around a joint, in heights of the photo
    mean     subtracted from each channel, in the order blue, green, red
    """

    lsp_dir: str
    tops: tuple[str, ...] = ("data", "maps")
    radius: float = RADIUS
    mean: tuple[float, float, float] = VOC_MEAN

    def check(self) -> None:
        """See Settings."""
        super().check()
        check_tops(self.tops, KINDS)
        if self.split not in SPLITS:
            raise LayerError(f"param_str: 'split' must be one of {', '.join(SPLITS)}, got {self.split!r}")
        if not self.radius > 0:
            raise LayerError(f"param_str: need radius > 0, got {self.radius}")


class LSPPoseDataLayer(DataLayer):
    """Photos and the discs around the joints of the person in each; keys of param_str: LSPSettings.

    data     (batch, 3, H, W)   blue, green, red, mean subtracted
    maps     (batch, 14, H, W)  1 within the disc of a joint, else 0
    classes  (batch, 1, H, W)   k + 1 within the disc of joint k, of the nearest joint where discs overlap; 0 elsewhere
    joints   (batch, 14, 1, 3)  x and y in pixels, and 1 if the joint is known

    joints.mat holds `joints`: (3, 14, N) of LSP, whose joints are all known, or (14, 3, N) of its extension, whose
    third value says which are. Its order: right ankle, knee, hip, left hip, knee, ankle, right wrist, elbow, shoulder,
    left shoulder, elbow, wrist, neck, head top.
    """

    Settings: ClassVar[type[Settings]] = LSPSettings

    def top_names(self) -> Sequence[str]:
        """See DataLayer."""
        return self.settings.tops

    def pictures(self) -> list[str]:
        """See DataLayer. A name is the number of a photo, from 1."""
        self.joints = read_joints(Path(self.settings.lsp_dir) / "joints.mat")
        start, stop = {"train": (0, FOR_TRAINING), "test": (FOR_TRAINING, None)}.get(self.settings.split, (0, None))
        chosen = [str(number) for number in range(1, len(self.joints) + 1)][start:stop]
        if not chosen:
            raise LayerError(f"the split '{self.settings.split}' has no photos: of the {len(self.joints)} poses of "
                             f"joints.mat the first {FOR_TRAINING} are for training")
        return chosen

    def sample(self, name: str) -> list[np.ndarray]:
        """See DataLayer."""
        s, joints = self.settings, self.joints[int(name) - 1]
        photo = read_image(self._photo(int(name)))
        height, width = photo.shape[1:]
        maps, classes = label_maps(joints, height, width, s.radius)
        parts = {"data": minus_mean(photo, s.mean), "maps": maps, "classes": classes[None], "joints": joints[:, None]}
        return [parts[kind] for kind in s.tops]

    def _photo(self, number: int) -> Path:
        digits = 5 if len(self.joints) > 9999 else 4  # the extension has 10000 photos
        return Path(self.settings.lsp_dir) / "images" / f"im{number:0{digits}d}.jpg"


def read_joints(path: Path) -> np.ndarray:
    """The poses of joints.mat: (N, 14, 3) float32 of x, y and 1 for known joints, else 0. FormatError."""
    values = np.asarray(read_mat(path, "joints"))
    if values.ndim != 3 or sorted(values.shape[:2]) != [3, JOINTS] or values.dtype.kind not in "iuf":
        raise FormatError(f"'joints' of '{path}' must have the shape (3, 14, N) or (14, 3, N), got {values.shape}")
    if values.shape[0] == JOINTS:
        poses = values.transpose(2, 0, 1).astype(np.float32)
        poses[:, :, 2] = poses[:, :, 2] > 0
    else:
        poses = values.transpose(2, 1, 0).astype(np.float32)
        poses[:, :, 2] = 1  # the third value says which are hidden; their places are given all the same
    poses[~np.isfinite(poses).all(axis=2)] = 0
    return poses
