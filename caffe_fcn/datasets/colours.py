"""Label pictures whose colours stand for classes."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np

from caffe_fcn.data.lists import read_text
from caffe_fcn.errors import FormatError, PrototxtError

from .files import open_picture
from .segmentation import IGNORED

SHOWN = 5  # unknown colours in a message


@dataclasses.dataclass(frozen=True)
class ColourMap:
    """Which class a colour stands for.

    keys   (n,) int64, sorted: 65536 red + 256 green + blue
    ids    (n,) uint8, the class of each
    names  of the classes by id, that of the first line where several colours mean one class
    """

    keys: np.ndarray
    ids: np.ndarray
    names: dict[int, str]

    def palette(self, colours: np.ndarray) -> np.ndarray:
        """`colours` (256, 3) with those of the map in their places."""
        result = colours.copy()
        for key, index in reversed(list(zip(self.keys.tolist(), self.ids.tolist(), strict=True))):
            result[index] = key >> 16, key >> 8 & 255, key & 255
        return result

    def read(self, path: Path, unknown: int | None = None) -> np.ndarray:
        """The class ids (height, width) uint8 of a label picture.

        unknown  the id of colours that are not in the map; None: FormatError names them and how many pixels have them
        """
        image = open_picture(path)
        if image.mode in ("I", "F") or image.mode.startswith("I;16"):
            raise FormatError(f"label '{path}' has more than 8 bits a channel (mode {image.mode}), so no map fits")
        rgba = np.asarray(image.convert("RGBA"))
        if rgba[..., 3].min() < 255:
            raise FormatError(f"label '{path}' has transparent pixels; save it without alpha")
        packed = rgba[..., 0].astype(np.int64) << 16 | rgba[..., 1].astype(np.int64) << 8 | rgba[..., 2]
        places = np.minimum(np.searchsorted(self.keys, packed), len(self.keys) - 1)
        strange = self.keys[places] != packed
        if unknown is None and strange.any():
            found, counts = np.unique(packed[strange], return_counts=True)
            order = np.argsort(-counts, kind="stable")
            shown = ", ".join(f"({found[k] >> 16}, {found[k] >> 8 & 255}, {found[k] & 255}) in {counts[k]} pixels"
                              for k in order[:SHOWN])
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise FormatError(f"label '{path}' has {len(found)} colours that are not in the map: {shown}{more}")
        return np.where(strange, np.uint8(unknown or 0), self.ids[places])


def read_colours(path: str | os.PathLike[str]) -> ColourMap:
    """A file of lines ``name red green blue [id]``, or ``red green blue name``; # begins a comment.

    Without ids the classes are numbered in the order of the lines; several lines may have one id, and 255 means no
    class. PrototxtError names the line that is wrong: values, a colour that appears twice, ids in some lines only.
    """
    file = os.fspath(path)
    lines = [(number, line.partition("#")[0].split()) for number, line in enumerate(read_text(file).splitlines(), 1)]
    entries = [(number, *_entry(words, file, number)) for number, words in lines if words]
    if not entries:
        raise PrototxtError("names no colours", file)
    found: dict[int, int] = {}
    names: dict[int, str] = {}
    numbered = entries[0][3] is not None
    for order, (number, name, key, given) in enumerate(entries):
        if (given is not None) != numbered:
            raise PrototxtError("give an id in every line or in none", file, number)
        if key in found:
            raise PrototxtError(f"the colour of '{name}' appears twice", file, number)
        found[key] = order if given is None else given
        if found[key] > IGNORED:
            raise PrototxtError("too many classes: ids end at 255", file, number)
        names.setdefault(found[key], name)
    keys = np.array(sorted(found), np.int64)
    return ColourMap(keys, np.array([found[key] for key in keys.tolist()], np.uint8), names)


def _entry(words: list[str], file: str, number: int) -> tuple[str, int, int | None]:
    """Name, colour and id of a line."""
    values = [int(word) if word.isdecimal() and len(word) < 4 else None for word in words]
    start = 1 if None not in values[1:4] and len(words) > 3 else 0
    colour, given = values[start:start + 3], None
    name = words[0] if start else " ".join(words[3:])
    rest = words[4:] if start else []
    if rest:
        given = values[4] if len(rest) == 1 else None
    if len(colour) < 3 or None in colour or max(filter(None, colour), default=0) > 255 or not name or (
            rest and (given is None or given > IGNORED)):
        raise PrototxtError("expected 'name red green blue', values 0 to 255, and perhaps an id up to 255; got "
                            f"{' '.join(words)[:60]!r}", file, number)
    red, green, blue = (value or 0 for value in colour)
    return name, red << 16 | green << 8 | blue, given
