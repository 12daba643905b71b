"""Any folder of photos and label pictures: as VOC lays them out, but with endings, folders and lists of your own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np

from caffe_fcn.errors import MissingFileError, PrototxtError
from caffe_fcn.formats.images import read_image

from .files import find_picture, read_ids, read_label
from .segmentation import SegmentationLayer, SegmentationSettings
from .settings import Settings

PHOTOS = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".bmp", ".tif", ".tiff", ".webp")
LABELS = (".png", ".PNG", ".bmp", ".tif", ".tiff")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderSettings(SegmentationSettings):
    """Beyond SegmentationSettings:

    folder  that of the data
    images  the folder of the photos in it; "." for the folder itself
    labels  the folder of the label pictures
    lists   the folder of the lists; None: no lists, all photos that have labels, sorted, whatever `split` says
    """

    folder: str
    images: str = "JPEGImages"
    labels: str = "SegmentationClass"
    lists: str | None = "ImageSets/Segmentation"


class FolderSegDataLayer(SegmentationLayer):
    """IMAGES/ID.* and LABELS/ID.*, for the ids of LISTS/SPLIT.txt.

    Photos may be JPEG, PNG, BMP, TIFF or WebP files, labels PNG, BMP or TIFF files with a palette or grey values. The
    tops are those of SegmentationLayer, the keys of param_str those of FolderSettings.
    """

    Settings: ClassVar[type[Settings]] = FolderSettings

    @property
    def folder(self) -> Path:
        """Of the data."""
        return Path(self.settings.folder)

    def pictures(self) -> list[str]:
        """See DataLayer."""
        s = self.settings
        if s.lists is not None:
            return read_ids(self.folder / s.lists / f"{s.split}.txt")
        photos, labels = (files_by_name(self.folder / part, endings)
                          for part, endings in ((s.images, PHOTOS), (s.labels, LABELS)))
        pairs = sorted(set(photos) & set(labels))
        if not pairs:
            raise PrototxtError(f"holds no photo in '{s.images}' with a label picture of the same name in '{s.labels}'",
                                s.folder)
        return pairs

    def photo(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        return read_image(find_picture(self.folder / self.settings.images, name, PHOTOS))

    def label(self, name: str) -> np.ndarray:
        """See SegmentationLayer."""
        return read_label(find_picture(self.folder / self.settings.labels, name, LABELS))


def files_by_name(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """The files of a folder with one of the endings, by name without ending, sorted; as `find_picture` chooses them.

    MissingFileError if there is no such folder.
    """
    if not folder.is_dir():
        raise MissingFileError(f"there is no folder '{folder}' (looked from '{Path.cwd()}')", str(folder))
    files = [file for file in folder.iterdir() if file.suffix in endings and file.is_file()]
    return {file.stem: file for file in sorted(files, key=lambda file: (file.stem, -endings.index(file.suffix)))}
