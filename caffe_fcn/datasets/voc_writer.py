"""Writing a folder as PASCAL VOC lays it out: photos, label pictures, lists."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from caffe_fcn.data.lists import read_text
from caffe_fcn.errors import FormatError
from caffe_fcn.formats.atomic import atomic_path, atomic_write
from caffe_fcn.formats.files import make_folder
from caffe_fcn.zoo.cards import colour_of

from .folder import PHOTOS
from .segmentation import IGNORED


def voc_palette() -> np.ndarray:
    """(256, 3) uint8: VOC's colours."""
    return np.array([colour_of(label) for label in range(256)], np.uint8)


class VOCWriter:
    """Writes JPEGImages, SegmentationClass, ImageSets/Segmentation and classes.txt below `folder`.

    Each file appears whole or not at all, and the lists last: where they are, everything they name is.

    names    of the classes by id; ids without one are "unused"
    colours  (256, 3) uint8, the palette of the label pictures
    link     make symbolic links to the photos instead of copies
    """

    def __init__(self, folder: Path, names: Mapping[int, str], colours: np.ndarray, link: bool = False) -> None:
        self.folder, self.names, self.link = folder, names, link
        self._palette = colours.astype(np.uint8).tobytes()
        self.photos, self.labels, self.lists = (folder / part for part in (
            "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"))
        self._written: dict[str, Path] = {}
        self.other_formats = 0  # photos that are not .jpg files
        for part in (self.photos, self.labels, self.lists):
            make_folder(part)

    def put(self, photo: Path, ids: np.ndarray) -> str:
        """Write a photo and its class ids (height, width) uint8; returns the name. FormatError if it is taken."""
        from PIL import Image

        name, ending = photo.stem, photo.suffix.lower()
        if name in self._written:
            raise FormatError(f"'{photo}' has the same name as '{self._written[name]}'; rename one of them")
        if ending not in PHOTOS:
            raise FormatError(f"'{photo}' is no photo that data layers read: {', '.join(PHOTOS)}")
        ending = ".jpg" if ending == ".jpeg" else ending
        picture = Image.fromarray(ids)
        picture.putpalette(self._palette)
        with atomic_write(self.labels / f"{name}.png") as file:
            picture.save(file, "PNG", optimize=True)
        self._place(photo, self.photos / f"{name}{ending}")
        self._written[name] = photo
        self.other_formats += ending != ".jpg"
        return name

    def _place(self, photo: Path, target: Path) -> None:
        if os.path.abspath(target) == os.path.abspath(photo):
            return
        if not self.link:
            if target.is_symlink():  # else the file that it points to would be written
                target.unlink()
            with atomic_path(target) as temporary:
                shutil.copyfile(photo, temporary)
            return
        temporary = f"{target}.link"
        Path(temporary).unlink(missing_ok=True)
        os.symlink(photo.resolve(), temporary)
        os.replace(temporary, target)

    def finish(self, splits: Mapping[str, Sequence[str]]) -> None:
        """Write classes.txt and the lists of names."""
        self._write(self.folder / "classes.txt", self._classes())
        for name, ids in splits.items():
            self._write(self.lists / f"{name}.txt", ids)

    def check_classes(self) -> None:
        """Raise FormatError if the folder has a classes.txt of other classes, from an earlier conversion."""
        file = self.folder / "classes.txt"
        if file.exists() and read_text(file).splitlines() != self._classes():
            raise FormatError(f"'{file}' names other classes than this conversion has; take an empty folder")

    def _classes(self) -> list[str]:
        largest = max((k for k in self.names if k != IGNORED), default=-1)
        return [self.names.get(k, "unused") for k in range(largest + 1)]

    def _write(self, file: Path, lines: Sequence[str]) -> None:
        with atomic_write(file) as stream:
            stream.write("".join(f"{line}\n" for line in lines).encode())


def divide(names: Sequence[str], split: str, held_out: float, seed: int) -> dict[str, list[str]]:
    """The lists: `split`, and if a share is held out at random the rest and "val", both in the order of `names`."""
    if not held_out:
        return {split: list(names)}
    chosen = set(random.Random(seed).sample(list(names), round(held_out * len(names))))
    return {split: [name for name in names if name not in chosen], "val": [name for name in names if name in chosen]}
