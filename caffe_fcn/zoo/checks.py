"""What must be true of a card beyond the types of its values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..errors import PrototxtError
from .card import ABOVE_ONE, METRICS, NOTES, RESIZE_RULES, TASK_KINDS, Card, Files, Input

DIGITS = {"sha1": 40, "sha256": 64}  # hexadecimal, of a checksum
HEXADECIMAL = set("0123456789abcdefABCDEF")
ANY_SIZE = ("height", "width")


def check(card: Card, file: str) -> None:
    """Raise PrototxtError with `file` and the key for the first value that cannot be."""
    for problem in _problems(card):
        raise PrototxtError(problem, file)


def _problems(card: Card) -> Iterator[str]:
    if card.task_kind not in TASK_KINDS:
        yield f"task_kind = {card.task_kind!r} is none of {', '.join(TASK_KINDS)}"
    if card.name != card.folder.resolve().name:
        yield f"name = {card.name!r} is not the name of the folder"
    if card.ignore_label is not None and not 0 <= card.ignore_label <= 255:
        yield f"ignore_label = {card.ignore_label} is no value of a label picture, 0 to 255"
    yield from _files(card.files)
    for entry in card.inputs:
        yield from (f"input '{entry.blob}': {problem}" for problem in _input(entry))
    yield from _classes(card)
    for what, score in card.scores.items():
        for key, value in score.items():
            yield from (f"scores.{what}.{key}{problem}" for problem in _score(key, value))


def _files(files: Files) -> Iterator[str]:
    for key, value in (("net", files.net), ("weights", files.weights)):
        if value is not None and value != Path(value).name:
            yield f"files.{key} = {value!r} is not the plain name of a file"
    for kind, value in (("sha1", files.weights_sha1), ("sha256", files.weights_sha256)):
        if value is not None and (len(value) != DIGITS[kind] or set(value) - HEXADECIMAL):
            yield f"files.weights_{kind} = {value!r} is not {DIGITS[kind]} hexadecimal digits"


def _input(entry: Input) -> Iterator[str]:
    sizes = [size for k, size in enumerate(entry.shape) if k < 2 or size not in ANY_SIZE]
    if len(entry.shape) != 4 or not all(isinstance(size, int) and size > 0 for size in sizes):
        yield f"shape = {list(entry.shape)} is not [N, C, H, W] in numbers (H, W also \"height\", \"width\": any)"
    elif len(entry.mean) not in (0, entry.shape[1]):
        yield f"mean has {len(entry.mean)} numbers for {entry.shape[1]} channels"
    if entry.resize not in RESIZE_RULES:
        yield f"resize = {entry.resize!r} is none of {', '.join(RESIZE_RULES)}"
    if len(entry.size) != 2 * (entry.resize != "none"):
        yield "size, [height, width], needs a resize rule"
    if len(entry.crop) not in (0, 2):
        yield "crop is [height, width]"
    if not all(pixels > 0 for pixels in (*entry.size, *entry.crop)):
        yield "size and crop are in pixels, 1 or more"


def _classes(card: Card) -> Iterator[str]:
    for label, colour in enumerate(entry.colour for entry in card.classes):
        if len(colour) != 3 or not all(0 <= part <= 255 for part in colour):
            yield f"classes[{label}].colour = {list(colour)} is not three numbers from 0 to 255"
    for bone in card.skeleton:
        if len(bone) != 2:
            yield f"skeleton has {list(bone)}, which is no pair of joints"
        if not all(0 <= joint < len(card.classes) for joint in bone):
            yield "skeleton has a joint that is not in classes"


def _score(key: str, value: float | str) -> Iterator[str]:
    kind, known = ("string", NOTES) if isinstance(value, str) else ("number", METRICS)
    if key not in known:
        yield f": no {kind} of this name; there are {', '.join(known)}"
    elif not isinstance(value, str) and not 0 <= value <= (float("inf") if key in ABOVE_ONE else 1):
        yield f" = {value} is {'less than 0' if key in ABOVE_ONE else 'not a fraction'}"
