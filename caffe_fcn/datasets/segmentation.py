"""The base of the layers that give a photo and the class of each of its pixels, whole or in random pieces."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import ClassVar

import numpy as np

from caffe_fcn.errors import LabelError, LayerError
from caffe_fcn.formats.images import read_image

from .base import DataLayer, check_sizes, minus_mean
from .files import read_ids
from .settings import VOC_MEAN, Settings

IGNORED = 255  # the label of pixels without a class


@dataclasses.dataclass(frozen=True, kw_only=True)
class SegmentationSettings(Settings):
    """Beyond Settings:

    mean     subtracted from each channel, in the order blue, green, red
    classes  how many there are: another label than 0 ... classes - 1 and 255 is an error; None: not looked at
    crop     (height, width) of pieces to cut at random places, or None for whole pictures
    scale    range of factors to resize by before cutting; drawn evenly in its logarithm
    mirror   swap left and right every other time, if there is a `crop`
    jitter   brightness and contrast change by up to this share, if there is a `crop`
    """

    mean: tuple[float, float, float] = VOC_MEAN
    classes: int | None = None
    crop: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    mirror: bool = True
    jitter: float = 0.0

    def check(self) -> None:
        """See Settings."""
        super().check()
        low, high = self.scale
        if not 0 < low <= high < math.inf or (self.crop is None and (low, high) != (1, 1)):
            raise LayerError("param_str: need 0 < scale[0] <= scale[1], and a crop to scale to; got scale "
                             f"{self.scale}, crop {self.crop}")
        if self.crop is not None and min(self.crop) < 1:
            raise LayerError(f"param_str: 'crop' needs a height and a width of at least 1, got {self.crop}")


class SegmentationLayer(DataLayer):
    """A photo and its labels.

    top[0]  (batch, 3, H, W)  blue, green, red, mean subtracted
    top[1]  (batch, 1, H, W)  class ids; 255 is not labelled

    A subclass implements `label`, and either `folder`, `LIST` and `PHOTO` (what lies where in the folder of the data,
    with {} for a split and for a picture) or `pictures` and `photo`.
    """

    Settings: ClassVar[type[Settings]] = SegmentationSettings
    LIST: ClassVar[str]
    PHOTO: ClassVar[str]

    @property
    def folder(self) -> Path:
        """Of the data."""
        raise NotImplementedError

    def pictures(self) -> list[str]:
        """See DataLayer."""
        return read_ids(self.folder / self.LIST.format(self.settings.split))

    def photo(self, name: str) -> np.ndarray:
        """(3, height, width) uint8, blue, green, red."""
        return read_image(self.folder / self.PHOTO.format(name))

    def label(self, name: str) -> np.ndarray:
        """(height, width) uint8."""
        raise NotImplementedError

    def sample(self, name: str) -> list[np.ndarray]:
        """See DataLayer. ShapeError for a label of another size, LabelError for a class that there is not."""
        photo, label = self.photo(name), self.label(name)
        check_sizes(name, {"photo": photo.shape[1:], "label": label.shape})
        classes = self.settings.classes
        if classes is not None:
            strange = np.unique(label[(label >= classes) & (label != IGNORED)])
            if strange.size:
                raise LabelError(f"the labels of '{name}' must be 0 to {classes - 1} or {IGNORED}, got "
                                 f"{', '.join(map(str, strange))}")
        if self.settings.crop is not None:
            photo, label = self._piece(photo, label)
        return [minus_mean(photo, self.settings.mean), label[None]]

    def _piece(self, photo: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A random piece of the size `crop`."""
        from PIL import Image

        s, draw = self.settings, self.draws.random
        height, width = s.crop
        low, high = s.scale
        least = max(height / label.shape[0], width / label.shape[1])  # the piece lies within the picture
        scale = max(low * (high / low) ** draw(), least)
        left = draw() * (label.shape[1] - width / scale)
        upper = draw() * (label.shape[0] - height / scale)
        box = (left, upper, left + width / scale, upper + height / scale)
        picture = Image.fromarray(np.ascontiguousarray(photo.transpose(1, 2, 0)))
        values = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box), np.float32)
        labels = np.asarray(Image.fromarray(label).resize((width, height), Image.Resampling.NEAREST, box))
        if s.mirror and draw() < 0.5:
            values, labels = values[:, ::-1], labels[:, ::-1]
        if s.jitter:
            contrast, brightness = (1 + s.jitter * self.draws.uniform(-1, 1) for _ in range(2))
            centre = values.mean()
            values = np.clip((values - centre) * contrast + centre * brightness, 0, 255)
        return values.transpose(2, 0, 1), labels
