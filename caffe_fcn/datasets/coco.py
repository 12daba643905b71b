"""COCO's annotations as class ids of pixels (Lin et al., "Microsoft COCO: common objects in context", 2014)."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from caffe_fcn.data.lists import read_text
from caffe_fcn.errors import FormatError, PrototxtError, ShapeError
from caffe_fcn.memory import check_room

from .files import open_picture
from .masks import polygon_mask, run_length_mask
from .segmentation import IGNORED

ORDERS = ("area", "file")
CROWDS = ("class", "ignore", "skip")


@dataclasses.dataclass(frozen=True)
class Picture:
    """An image of the file and its annotations, in the order in which they are drawn: (class id, segmentation)."""

    file: Path
    height: int
    width: int
    objects: list[tuple[int, Any]]


@dataclasses.dataclass(frozen=True)
class Coco:
    """The pictures of a file, and the names of the classes by id."""

    pictures: list[Picture]
    names: dict[int, str]


def read_coco(path: str | os.PathLike[str], images: Path, categories: Mapping[str, int] | None = None,
              order: str = "area", crowd: str = "class", background: int = 0) -> Coco:
    """Read a JSON file with "images", "annotations", "categories". FormatError says which entry is wrong, and how.

    images      the folder of the photos
    categories  class ids by the name of a category; without it categories get 1, 2, ... in the order of their own ids
    order       "area": small objects are drawn over large ones; "file": later ones over earlier ones
    crowd       what regions with iscrowd become: their class, no class (255), or nothing
    background  the id of pixels without an object
    """
    file = os.fspath(path)
    try:
        content = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"'{file}' is not a JSON file: {error}") from error
    ids, names = _classes(_entries(content, "categories", file), categories, file)
    if background != IGNORED:
        names.setdefault(background, "background")
    objects: dict[int, list[tuple[float, int, Any]]] = {}
    pictures = []
    for entry in _entries(content, "images", file):
        if entry.number("id") in objects:
            raise entry.error("has the id of another image")
        drawn = objects[entry.number("id")] = []
        pictures.append((entry.text("file_name"), entry.number("height"), entry.number("width"), drawn))
    for entry in _entries(content, "annotations", file):
        image, category = entry.number("image_id"), entry.number("category_id")
        if image not in objects or category not in ids:
            unknown = "an image_id" if image not in objects else "a category_id"
            raise entry.error(f"has {unknown} that is not in the file")
        is_crowd = entry.values.get("iscrowd", 0)
        if is_crowd not in (0, 1):
            raise entry.error(f"needs 'iscrowd', 0 or 1; got {is_crowd!r}")
        if not (is_crowd and crowd == "skip"):
            area = entry.number("area", whole=False) if order == "area" else 0
            value = IGNORED if is_crowd and crowd == "ignore" else ids[category]
            objects[image].append((-area, value, (entry.where, entry.values.get("segmentation"))))
    return Coco([Picture(images / name, height, width, [one[1:] for one in sorted(drawn, key=lambda one: one[0])])
                 for name, height, width, drawn in pictures], names)


def draw(picture: Picture, background: int = 0) -> np.ndarray:
    """The class ids (height, width) uint8. FormatError for bad annotations, ShapeError for a photo of another size."""
    photo = open_picture(picture.file)
    height, width = picture.height, picture.width
    if photo.size != (width, height):
        raise ShapeError(f"'{picture.file}' is {photo.width} x {photo.height} (width x height), its annotations say "
                         f"{width} x {height}")
    check_room(16 * height * width, f"the labels of '{picture.file}'")
    ids = np.full((height, width), background, np.uint8)
    for value, (where, segmentation) in picture.objects:
        try:
            ids[_mask(segmentation, height, width)] = value
        except ValueError as error:
            raise FormatError(f"{where}, of '{picture.file}': {error}") from error
    return ids


def read_categories(path: str | os.PathLike[str]) -> dict[str, int]:
    """The lines ``id name`` of a file; several names may have one id. PrototxtError."""
    file = os.fspath(path)
    found: dict[str, int] = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        value, _, name = line.strip().partition(" ")
        if not line.strip():
            continue
        if not (value.isdecimal() and len(value) < 4 and int(value) <= IGNORED and name.strip()):
            raise PrototxtError(f"expected an id up to 255 and a category's name, got {line[:60]!r}", file, number)
        if name.strip() in found:
            raise PrototxtError(f"'{name.strip()}' appears twice", file, number)
        found[name.strip()] = int(value)
    if not found:
        raise PrototxtError("names no categories", file)
    return found


def _classes(entries: list[_Entry], wanted: Mapping[str, int] | None, file: str
             ) -> tuple[dict[int, int], dict[int, str]]:
    """Class ids by the ids of categories, and the names of the classes."""
    named: dict[int, str] = {}
    for entry in entries:
        if entry.number("id") in named:
            raise entry.error("has the id of another category")
        name = named[entry.number("id")] = entry.text("name")
        if not name.isprintable():  # a line of classes.txt
            raise entry.error(f"has a name with line breaks or the like: {name!r}")
    if wanted is None:
        if len(named) >= IGNORED:
            raise FormatError(f"'{file}' has {len(named)} categories, but ids end at {IGNORED - 1}: give a map")
        ids = {key: k + 1 for k, key in enumerate(sorted(named))}
    else:
        missing = sorted({name for name in named.values() if name not in wanted})
        if missing:
            raise FormatError(f"the map lacks {len(missing)} categories of '{file}': {', '.join(missing[:10])}")
        ids = {key: wanted[name] for key, name in named.items()}
    names: dict[int, str] = {}
    for key, value in ids.items():
        names.setdefault(value, named[key])
    return ids, names


@dataclasses.dataclass(frozen=True)
class _Entry:
    """An object of one of the lists, with its place, such as ``images[3]``, for messages."""

    values: dict[str, Any]
    where: str
    file: str

    def error(self, message: str) -> FormatError:
        return FormatError(f"'{self.file}': {self.where} {message}")

    def number(self, key: str, whole: bool = True) -> Any:
        value = self.values.get(key)
        if not isinstance(value, int if whole else (int, float)) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise self.error(f"needs '{key}', a {'whole ' if whole else ''}number; got {value!r}")
        return value

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise self.error(f"needs '{key}', a text; got {value!r}")
        return value


def _entries(content: Any, key: str, file: str) -> list[_Entry]:
    found = content.get(key) if isinstance(content, dict) else None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise FormatError(f"'{file}' needs a list '{key}' of objects, as COCO's files of instances have it")
    return [_Entry(entry, f"{key}[{k}]", file) for k, entry in enumerate(found)]


def _mask(segmentation: Any, height: int, width: int) -> np.ndarray:
    """The mask of polygons, or of run lengths."""
    if isinstance(segmentation, dict):
        if segmentation.get("size") != [height, width]:
            raise ValueError(f"the run lengths are of size {segmentation.get('size')}, the image of {[height, width]}")
        counts = segmentation.get("counts")
        if not isinstance(counts, (list, str)):
            raise ValueError("'counts' must be a list of numbers or a text")
        return run_length_mask(counts, height, width)
    if not isinstance(segmentation, list):
        raise ValueError("'segmentation' must be a list of polygons or run lengths with 'size' and 'counts'")
    mask = np.zeros((height, width), bool)
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon needs three or more pairs of x and y")
        if not all(isinstance(value, (int, float)) and abs(value) < 1e9 for value in polygon):
            raise ValueError("a polygon needs finite numbers")
        mask |= polygon_mask(np.array(polygon, np.float64).reshape(-1, 2), height, width)
    return mask
