"""List the nets that come with the project: task, data, size, cost, published score, whether the weights are here."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from ..prototxt.table import as_lines
from ..zoo.card import TASK_KINDS, Card
from ..zoo.cards import all_cards
from ..zoo.describe import as_dict, headline, weights_state


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


def _fits(card: Card, words: Sequence[str], task: str | None, data: str | None) -> bool:
    text = " ".join((card.name, card.family, card.task_kind, card.task, card.architecture, card.data.set)).lower()
    return (task in (None, card.task_kind) and (data or "").lower() in card.data.set.lower()
            and all(word.lower() in text for word in words))


def _cells(card: Card) -> list[str]:
    return [card.name, card.task_kind, card.data.set, f"{card.parameters / 1e6:.1f} M", f"{card.gflops_500:,.1f}",
            headline(card), weights_state(card)]
