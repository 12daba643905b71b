"""List the nets that come with the project: task, data, size, cost, published score, whether the weights are here."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from ..prototxt.table import as_lines
from ..zoo.card import TASK_KINDS, Card
from ..zoo.cards import all_cards

# The number that a table shows, by kind of task, with its name there.
HEADLINES = {"segmentation": ("mean_iu", "mean IU"), "edges": ("ods", "ODS"), "pose": ("pck", "PCK"),
             "depth": ("rel", "rel"), "classification": ("top1", "top-1")}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, 1 if no net fits what was asked for."""
    parser = argparse.ArgumentParser("caffe-fcn models", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only nets whose name, task, data or architecture has all these words")
    parser.add_argument("--task", choices=TASK_KINDS, help="only nets for a kind of task")
    parser.add_argument("--data", help="only nets trained on a data set, by a part of its name")
    parser.add_argument("--json", action="store_true", help="all facts of the cards, for programs")
    args = parser.parse_args(argv)
    cards = [card for card in all_cards() if _fits(card, args.words, args.task, args.data)]
    if args.json:
        print(json.dumps([as_dict(card) for card in cards], indent=2))
    elif cards:
        header = ["net", "task", "data", "parameters", "GFLOP", "score", "weights"]
        print(as_lines(header, [_cells(card) for card in cards], left=3))
    else:
        print("no net fits; without filters all are listed")
    return 0 if cards else 1


def as_dict(card: Card) -> dict[str, Any]:
    """The facts of a card as plain values, with the paths of its files on this machine."""
    import dataclasses

    values = dataclasses.asdict(card)
    weights = card.weights_file
    return {**values, "folder": str(card.folder), "weights_file": None if weights is None else str(weights)}


def headline(card: Card) -> str:
    """The published score that stands for the net, such as ``mean IU 65.5 %``, "" if there is none."""
    key, name = HEADLINES[card.task_kind]
    for what, score in card.scores.items():
        if isinstance(value := score.get(key), (int, float)):
            return f"{name} {f'{value:.3f}' if key == 'rel' else f'{100 * value:.1f} %'} ({what})"
    return ""


def weights_state(card: Card) -> str:
    """Where the weights are, in a word."""
    if card.files.weights is None:
        return "none published"
    found = card.weights_file
    if found is None:
        return "to fetch" if card.files.weights_url else "no address"
    return "shipped" if found.parent == card.folder else "fetched"


def _fits(card: Card, words: Sequence[str], task: str | None, data: str | None) -> bool:
    text = " ".join((card.name, card.family, card.task_kind, card.task, card.architecture, card.data.set)).lower()
    return (task in (None, card.task_kind) and (data or "").lower() in card.data.set.lower()
            and all(word.lower() in text for word in words))


def _cells(card: Card) -> list[str]:
    return [card.name, card.task_kind, card.data.set, f"{card.parameters / 1e6:.1f} M", f"{card.gflops_500:,.0f}",
            headline(card), weights_state(card)]
