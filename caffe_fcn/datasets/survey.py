"""What is in a VOC-style folder: photos, label pictures, lists; every file is opened once."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from caffe_fcn.errors import CaffeFcnError, FormatError, MissingFileError

from .files import DEEP, label_ids, open_picture, read_ids
from .folder import LABELS, PHOTOS, files_by_name

T = TypeVar("T")
Track = Callable[[Sequence[T]], Iterable[T]]
WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


@dataclasses.dataclass
class Layout:
    """The folders of a data set, relative to `folder`; `lists` need not be there."""

    folder: Path
    images: str = "JPEGImages"
    labels: str = "SegmentationClass"
    lists: str = "ImageSets/Segmentation"

    def check(self) -> None:
        """Raise MissingFileError, which says what is expected, if a folder of pictures is missing."""
        for part in (self.images, self.labels):
            if not (self.folder / part).is_dir():
                raise MissingFileError(
                    f"there is no folder '{self.folder / part}'. Expected are photos {self.images}/ID.jpg, label "
                    f"pictures {self.labels}/ID.png whose values are class ids, lists of ids {self.lists}/train.txt, "
                    "val.txt; --images, --labels and --lists name other folders, `caffe-fcn data convert` makes such",
                    str(self.folder / part))

    def splits(self) -> dict[str, list[str]]:
        """The ids of each list, by its name. PrototxtError for an empty one."""
        folder = self.folder / self.lists
        return {file.stem: read_ids(file) for file in sorted(folder.glob("*.txt"))} if folder.is_dir() else {}


@dataclasses.dataclass
class Survey:
    """What was found. Names are ids, the names of files without their endings.

    splits      the ids of each list
    photos      number of photos, `labels` of label pictures, `pairs` of names that have both
    sizes       how many photos have each size (width, height)
    modes       how many label pictures have each mode ("P": palette, "L": grey)
    palettes    names of label pictures by palette
    pixels      (256,) pixels of each label, over the pairs
    pictures    (256,) label pictures in which a label is
    labelled    (256,) pixels with any class of those pictures
    lists of names, see the words of `findings`: no_photo, no_label, unlisted, strange, doubled, alpha, grey, deep,
    sizes_differ
    unreadable  messages of files that cannot be read or used, by name
    """

    splits: dict[str, list[str]]
    photos: int
    labels: int
    pairs: int
    no_photo: list[str]
    no_label: list[str]
    unlisted: list[str]
    strange: list[str]
    doubled: list[str]
    sizes: Counter[tuple[int, int]] = dataclasses.field(default_factory=Counter)
    modes: Counter[str] = dataclasses.field(default_factory=Counter)
    palettes: dict[bytes, list[str]] = dataclasses.field(default_factory=dict)
    pixels: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(256, np.int64))
    pictures: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(256, np.int64))
    labelled: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(256, np.int64))
    seen: dict[int, list[str]] = dataclasses.field(default_factory=dict)
    alpha: list[str] = dataclasses.field(default_factory=list)
    grey: list[str] = dataclasses.field(default_factory=list)
    deep: list[str] = dataclasses.field(default_factory=list)
    sizes_differ: dict[str, str] = dataclasses.field(default_factory=dict)
    unreadable: dict[str, str] = dataclasses.field(default_factory=dict)


def survey(layout: Layout, splits: Sequence[str] | None = None, ignore: int = 255, track: Track = iter) -> Survey:
    """Look at a folder. Problems with files are collected; MissingFileError if a folder or a list is missing.

    splits  names of lists: look only at their ids
    ignore  the label that is no class
    track   is given the names and yields them, for a progress bar
    """
    layout.check()
    lists = layout.splits()
    for name in splits or ():
        if name not in lists:
            raise MissingFileError(f"there is no list '{layout.folder / layout.lists / name}.txt'; there are "
                                   f"{', '.join(lists) or 'none'}")
    photos = files_by_name(layout.folder / layout.images, PHOTOS)
    labels = files_by_name(layout.folder / layout.labels, LABELS)
    chosen = {name: ids for name, ids in lists.items() if splits is None or name in splits}
    listed = dict.fromkeys(name for ids in chosen.values() for name in ids)
    wanted = listed if listed else dict.fromkeys(sorted({*photos, *labels}))
    pairs = [name for name in wanted if name in photos and name in labels]
    found = Survey(
        chosen, len(photos), len(labels), len(pairs),
        no_photo=[name for name in wanted if name not in photos],
        no_label=[name for name in wanted if name not in labels],
        unlisted=sorted(set(labels) - set(listed)) if listed and splits is None else [],
        strange=[name for name in pairs if (photos[name].suffix, labels[name].suffix) != (".jpg", ".png")],
        doubled=[*_doubled(layout.folder / layout.images, PHOTOS), *_doubled(layout.folder / layout.labels, LABELS)])
    for name in track(pairs):
        size = _look(found, name, photos[name], _photo)
        label = _look(found, name, labels[name], _label)
        if label is not None:
            _count(found, name, label, ignore)
            if size is not None and size != label.shape[::-1]:
                found.sizes_differ[name] = (f"photo {size[0]} x {size[1]}, label {label.shape[1]} x {label.shape[0]}")
    return found


def _doubled(folder: Path, endings: Sequence[str]) -> list[str]:
    """Names that several pictures of a folder have."""
    names = Counter(file.stem for file in folder.iterdir() if file.suffix in endings)
    return sorted(name for name, files in names.items() if files > 1)


def _look(found: Survey, name: str, file: Path, what: Callable[[Survey, str, Path], T]) -> T | None:
    try:
        return what(found, name, file)
    except CaffeFcnError as error:
        found.unreadable[str(file)] = str(error)
        return None


def _photo(found: Survey, name: str, file: Path) -> tuple[int, int]:
    """Size (width, height) of a photo; it is decoded, so that a damaged one is found."""
    image = open_picture(file)
    found.sizes[image.size] += 1
    if image.mode in WITH_ALPHA or "transparency" in image.info:
        found.alpha.append(name)
    if image.mode in DEEP:
        found.deep.append(name)
    elif image.mode in ("L", "1", "LA"):
        found.grey.append(name)
    return image.size


def _label(found: Survey, name: str, file: Path) -> np.ndarray:
    image = open_picture(file)
    found.modes[image.mode] += 1
    if image.mode in WITH_ALPHA:
        raise FormatError(f"label '{file}' has an alpha channel (mode {image.mode}), where class ids are expected")
    ids = label_ids(image, file)
    if image.mode == "P":
        found.palettes.setdefault(_palette(image), []).append(name)
    return ids


def _palette(image: Any) -> bytes:
    """Red, green, blue of every index that is used or named, black ones at the end left out."""
    return bytes(image.getpalette("RGB") or b"").rstrip(b"\0")


def _count(found: Survey, name: str, label: np.ndarray, ignore: int) -> None:
    counts = np.bincount(label.ravel(), minlength=256)
    there = counts > 0
    found.pixels += counts
    found.pictures += there
    found.labelled += np.where(there, counts.sum() - counts[ignore], 0)
    for value in np.flatnonzero(there):
        found.seen.setdefault(int(value), []).append(name)
