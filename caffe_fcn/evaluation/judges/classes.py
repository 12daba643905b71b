"""The names and colours of the classes of label pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...data.lists import read_text
from ...datasets.voc_writer import voc_palette
from ...errors import FormatError
from ...zoo.cards import find

MOST = 256
CLASSES = "classes.txt"


@dataclasses.dataclass(frozen=True)
class Classes:
    """Names by id, none if not known; the palette is (256, 3) uint8, VOC's beyond the colours that are known."""

    names: Sequence[str]
    palette: np.ndarray


def classes_of(given: str | None, model: str | None, folder: Path) -> Classes:
    """The classes that a number or a file names, else those of a net's card, else those of a data set.

    given   how many there are, or the path of a file with a name in each line
    model   the name of a net, or the folder of its card
    folder  where label pictures are: it, or the folder above, may have a classes.txt

    Raises FormatError for numbers that labels of 8 bits do not have; what finding the card or the file raises.
    """
    card = find(model) if model else None
    palette = voc_palette()
    if card is not None and card.task_kind != "segmentation":
        raise FormatError(f"--model {model}: the net is for {card.task_kind}, not for segmentation")
    if card is not None:
        palette[:len(card.classes)] = [entry.colour for entry in card.classes]
    if given is not None:
        names = list(map(str, range(min(int(given), MOST + 1)))) if given.isdecimal() else _lines(Path(given))
    elif card is not None:
        names = [entry.name for entry in card.classes]
    else:
        files = [place / CLASSES for place in (folder, folder.resolve().parent) if (place / CLASSES).is_file()]
        names = _lines(files[0]) if files else []
        if not files:
            return Classes((), palette)
    if not 0 < len(names) <= MOST:
        raise FormatError(f"label pictures have 1 to {MOST} classes, got {given if given is not None else len(names)}")
    return Classes(names, palette)


def _lines(file: Path) -> list[str]:
    return [line.strip() for line in read_text(file).splitlines() if line.strip()]
