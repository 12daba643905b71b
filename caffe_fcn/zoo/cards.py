"""Reading and finding cards: one checked file, `card.toml`, in the folder of each net (docs/models.md)."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

from ..errors import NetError, PrototxtError
from ..proto.text import did_you_mean
from .card import Card
from .checks import check
from .schema import build, read_toml

__all__ = ["Card", "all_cards", "colour_of", "find", "models_folder", "names", "read_card"]

CARD = "card.toml"


def models_folder() -> Path:
    """The folder of the nets, `models/` of the project. Raises NetError if it was not installed."""
    spec = importlib.util.find_spec("caffe_fcn_models")
    if spec is None or not spec.submodule_search_locations:
        raise NetError("the nets of the project (package caffe_fcn_models) are not installed: install caffe_fcn again")
    return Path(spec.submodule_search_locations[0])


def names() -> list[str]:
    """The names of all nets that have a card, sorted."""
    return sorted(path.parent.name for path in models_folder().glob(f"*/{CARD}"))


def all_cards() -> list[Card]:
    """The cards of all nets, by name."""
    return [read_card(models_folder() / name / CARD) for name in names()]


def find(name: str) -> Card:
    """The card of a net of the project by its name, or of one's own by its folder or by the path of the card.

    Raises NetError with a name that is close if there is none, PrototxtError if the card is wrong.
    """
    known = names()
    if name in known:
        return read_card(models_folder() / name / CARD)
    path = Path(name) / CARD if Path(name).is_dir() else Path(name)
    if path.name == CARD and path.is_file():
        return read_card(path)
    hint = did_you_mean(name, known) or "; `caffe-fcn models` lists the names"
    raise NetError(f"there is no net '{name}', and no folder of that name with a {CARD}{hint}")


def read_card(path: Path) -> Card:
    """A card from its file. Raises PrototxtError with the file and the key for everything that is not as it must be.

    The file has the keys of :class:`Card`. A class may be its name alone. For `classes` it may have the path of another
    TOML file that has them, so that the nets of a data set share one list.
    """
    table = read_toml(path)
    for output in (table, *_tables(table.get("more_outputs"))):
        output["classes"] = _classes(output.get("classes", []), path)
    card = dataclasses.replace(build(Card, table, str(path)), folder=path.parent)
    check(card, str(path))
    return card


def colour_of(label: int) -> tuple[int, int, int]:
    """The colour (RGB) that PASCAL VOC's rule of bits gives a label: bit 0, 1, 2 of each octal digit to R, G, B."""
    colour = [0, 0, 0]
    for digit in range(8):
        for channel in range(3):
            colour[channel] |= (label >> 3 * digit + channel & 1) << 7 - digit
    return colour[0], colour[1], colour[2]


def _tables(value: Any) -> list[dict[str, Any]]:
    """The tables in an array, whatever else is there is for `build` to refuse."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _classes(value: Any, path: Path) -> Any:
    """The array of tables, read from another file if `value` is its path; who has no colour gets that of the rule."""
    if isinstance(value, str):
        path = path.parent / value
        table = read_toml(path)
        if not isinstance(value := table.get("classes"), list):
            raise PrototxtError("the array 'classes' is missing", str(path))
    if not isinstance(value, list):
        return value
    tables = [{"name": entry} if isinstance(entry, str) else entry for entry in value]
    return [{"colour": list(colour_of(label)), **entry} if isinstance(entry, dict) else entry
            for label, entry in enumerate(tables)]
