"""PASCAL-Context: all of VOC 2010's photos labelled, things and surroundings (Mottaghi et al., 2014)."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from caffe_fcn.data.lists import read_text
from caffe_fcn.errors import LayerError, PrototxtError

from .files import label_matrix, read_mat
from .segmentation import IGNORED, SegmentationLayer, SegmentationSettings
from .settings import Settings

MEAN = (104.007, 116.669, 122.679)
TASKS = (59, 33)
LARGEST_LABEL = 2**16 - 1  # the labels have 16 bits
# the lists of the tasks call some classes otherwise than the list of all labels does
OTHER_NAMES = {"diningtable": "table", "bedcloth": "bedclothes", "clothes": "cloth"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PASCALContextSettings(SegmentationSettings):
    """Beyond SegmentationSettings:

    voc_dir      the folder that holds VOC2010
    context_dir  the folder of the labels
    task         59 or 33: how many classes, besides the background
    """

    voc_dir: str
    context_dir: str
    mean: tuple[float, float, float] = MEAN
    task: int = 59

    def check(self) -> None:
        """See Settings."""
        super().check()
        if self.task not in TASKS:
            raise LayerError(f"param_str: 'task' must be 59 or 33, got {self.task}")


class PASCALContextSegDataLayer(SegmentationLayer):
    """VOC2010/JPEGImages/ID.jpg and `LabelMap` of trainval/ID.mat, for the ids of VOC2010/ImageSets/Main/SPLIT.txt.

    Class k is the k-th name in 59_labels.txt (33_labels.txt), sought in labels.txt, which numbers all labels; both
    have lines ``7: car``. Other labels are 0, the background, so there are 60 (34) classes. The tops are those of
    SegmentationLayer, the keys of param_str those of PASCALContextSettings.
    """

    Settings: ClassVar[type[Settings]] = PASCALContextSettings
    LIST = "ImageSets/Main/{}.txt"
    PHOTO = "JPEGImages/{}.jpg"

    def setup(self, bottom: Any, top: Any) -> None:
        """See DataLayer; reads the lists of labels."""
        super().setup(bottom, top)
        folder = Path(self.settings.context_dir)
        self.table = task_table(folder / "labels.txt", folder / f"{self.settings.task}_labels.txt")

    @property
    def folder(self) -> Path:
        """Of the photos."""
        return Path(self.settings.voc_dir) / "VOC2010"

    def label(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        file = Path(self.settings.context_dir) / "trainval" / f"{name}.mat"
        return self.table[label_matrix(read_mat(file, "LabelMap"), file, len(self.table) - 1)]


def read_names(path: Path, largest: int) -> dict[int, str]:
    """The lines ``7: dining table`` of a list of labels, blanks within names left out. PrototxtError for others.

    largest  number that there may be
    """
    names = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            key, colon, name = line.partition(":")
            if not (colon and key.strip().isdecimal() and len(key) < 9 and int(key) <= largest and name.strip()):
                raise PrototxtError(f"expected a number up to {largest}, a colon and a label's name, got {line[:60]!r}",
                                    str(path), number)
            names[int(key)] = "".join(name.split())
    return names


def task_table(all_labels: Path, task: Path) -> np.ndarray:
    """The class of a task for each label: (labels + 1,) uint8. PrototxtError for a class that is no label."""
    numbers = {name: number for number, name in read_names(all_labels, LARGEST_LABEL).items()}
    table = np.zeros(max(numbers.values(), default=0) + 1, np.uint8)
    for number, name in read_names(task, IGNORED - 1).items():
        if number == 0:  # some copies of the list name the background
            continue
        label = numbers.get(OTHER_NAMES.get(name, name))
        if label is None:
            raise PrototxtError(f"class '{name}' is not in '{all_labels}'", str(task))
        table[label] = number
    return table
