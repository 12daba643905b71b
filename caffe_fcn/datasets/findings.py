"""What a survey of a data set means: problems, which need a repair, and notes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .frequencies import median_frequency_weights
from .survey import Survey

SHOWN = 5  # names in a line


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was found: a sentence, whether it is a problem, and whose names it is about."""

    problem: bool
    text: str
    names: Sequence[str] = ()

    def __str__(self) -> str:
        more = len(self.names) - SHOWN
        names = ", ".join(self.names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"{'problem' if self.problem else 'note'}: {self.text}{f': {names}' if names else ''}"


def findings(found: Survey, classes: int | None, ignore: int = 255) -> list[Finding]:
    """All findings, problems first.

    classes  how many there are; None: not known, then no label is out of range or missing
    """
    every = [*_pairs(found), *_files(found), *_palettes(found), *_classes(found, classes, ignore)]
    return sorted(every, key=lambda finding: not finding.problem)


def _pairs(found: Survey) -> Iterator[Finding]:
    listed = bool(found.splits)
    if not found.pairs:
        yield Finding(True, "no photo has a label picture of the same name")
    if found.no_photo:
        yield Finding(True, f"{len(found.no_photo)} {'listed ids' if listed else 'labels'} have no photo",
                      found.no_photo)
    if found.no_label:
        yield Finding(True, f"{len(found.no_label)} {'listed ids' if listed else 'photos'} have no label picture",
                      found.no_label)
    if not listed:
        yield Finding(False, "there are no lists of ids, so all pairs were looked at")
    if found.unlisted:
        yield Finding(False, f"{len(found.unlisted)} label pictures are in no list", found.unlisted)
    for name, ids in found.splits.items():
        twice = sorted(one for one, times in Counter(ids).items() if times > 1)
        if twice:
            yield Finding(False, f"the list {name} names {len(twice)} ids more than once", twice)
    for held_out in ("val", "test"):
        both = sorted(set(found.splits.get("train", ())) & set(found.splits.get(held_out, ())))
        if both:
            yield Finding(True, f"{len(both)} ids are in both lists train and {held_out}", both)


def _files(found: Survey) -> Iterator[Finding]:
    if found.strange:
        yield Finding(False, f"{len(found.strange)} pairs are not .jpg and .png files: FolderSegDataLayer reads them, "
                             "VOCSegDataLayer does not", found.strange)
    if found.doubled:
        yield Finding(True, f"{len(found.doubled)} names have several files with different endings", found.doubled)
    for message in found.unreadable.values():
        yield Finding(True, message)
    if found.sizes_differ:
        yield Finding(True, f"{len(found.sizes_differ)} labels have another size (width x height) than their photo",
                      [f"{name} ({sizes})" for name, sizes in found.sizes_differ.items()])
    if found.alpha:
        yield Finding(False, f"{len(found.alpha)} photos have an alpha channel, which is dropped", found.alpha)
    if found.deep:
        yield Finding(False, f"{len(found.deep)} photos have 16 bits a channel, of which 8 are used", found.deep)
    if found.grey:
        yield Finding(False, f"{len(found.grey)} photos are grey", found.grey)


def _palettes(found: Survey) -> Iterator[Finding]:
    ranked = sorted(found.palettes.values(), key=len, reverse=True)
    if len(ranked) > 1:
        others = [name for names in ranked[1:] for name in names]
        yield Finding(False, f"{len(ranked)} different palettes: ids may mean different classes; other than most are",
                      others)
    if found.modes["P"] and found.modes["P"] < sum(found.modes.values()):
        modes = ", ".join(f"{count} of mode {mode}" for mode, count in found.modes.most_common())
        yield Finding(False, f"label pictures are of several kinds: {modes}")


def _classes(found: Survey, classes: int | None, ignore: int) -> Iterator[Finding]:
    if classes is None:
        return
    for value, names in sorted(found.seen.items()):
        if value >= classes and value != ignore:
            yield Finding(True, f"label {value} in {len(names)} pictures ({found.pixels[value]} pixels) is none of the "
                                f"{classes} classes", names)
    never = [str(value) for value in range(classes) if value not in found.seen]
    if never:
        yield Finding(False, f"{len(never)} of {classes} classes are never seen", never)


def class_count(found: Survey, classes: int | None, ignore: int = 255) -> int:
    """`classes` if known, else one more than the largest label seen."""
    if classes is not None:
        return classes
    return max((value for value in found.seen if value != ignore), default=-1) + 1


def weights(found: Survey, classes: int, ignore: int = 255) -> np.ndarray:
    """(classes,) median-frequency weights; that of the ignored label, if it is among them, is 0."""
    pixels = np.where(np.arange(classes) == ignore, 0, found.pixels[:classes])
    return median_frequency_weights(pixels, found.labelled[:classes])


def as_dict(found: Survey, every: Sequence[Finding], names: Sequence[str], class_weights: np.ndarray) -> dict[str, Any]:
    """The survey for programs: plain values."""
    return {
        "splits": {name: len(ids) for name, ids in found.splits.items()},
        "photos": found.photos, "labels": found.labels, "pairs": found.pairs,
        "sizes": [{"width": width, "height": height, "photos": count}
                  for (width, height), count in found.sizes.most_common()],
        "label_modes": dict(found.modes), "palettes": len(found.palettes),
        "classes": [{"id": k, "name": name, "pixels": int(found.pixels[k]), "pictures": int(found.pictures[k]),
                     "median_frequency_weight": round(float(class_weights[k]), 6)} for k, name in enumerate(names)],
        "pixels_by_label": {str(k): int(found.pixels[k]) for k in np.flatnonzero(found.pixels)},
        "findings": [{"problem": one.problem, "text": one.text, "names": list(one.names)} for one in every],
    }
