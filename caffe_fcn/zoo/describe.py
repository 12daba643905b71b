"""What a card says in words: for the list of nets, for `caffe-fcn show NAME` and for the README of each net."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from .card import COUNTS, ERRORS, METRICS, Card, Input, Output, Paper

# The number that stands for a net, by kind of task.
HEADLINES = {"segmentation": "mean_iu", "edges": "ods", "pose": "pck", "depth": "rel", "classification": "top1"}
RESIZED = {"stretch": "resized to {0} x {1}", "short_side": "the shorter side resized to {0}"}


def as_dict(card: Card) -> dict[str, Any]:
    """The facts of a card as plain values for JSON, with the paths of its files on this machine."""
    weights = card.weights_file
    return {**dataclasses.asdict(card), "folder": str(card.folder), "net_file": str(card.net_file),
            "weights_file": None if weights is None else str(weights)}


def headline(card: Card) -> str:
    """The published score that stands for the net, such as ``mean IU 65.5 % (seg11valid)``, "" if there is none."""
    key = HEADLINES[card.task_kind]
    found = (f"{_value(key, score[key])} ({what})" for what, score in card.scores.items() if key in score)
    return next(found, "")


def _value(key: str, value: float | str) -> str:
    """A value of `[scores]` with its name; per cent for fractions."""
    if isinstance(value, str):
        return f"{key}: {value}"
    if key in COUNTS:
        return f"{value} {METRICS[key]}"
    return f"{METRICS[key]} {f'{value:.3f}' if key in ERRORS else f'{100 * value:.1f} %'}"


def weights_state(card: Card) -> str:
    """Where the weights are, in a word or two."""
    if card.files.weights is None:
        return "none published"
    found = card.weights_file
    if found is None:
        return "to fetch" if card.files.weights_url else "no address"
    return "shipped" if found.parent == card.folder else "fetched"


def facts_of(card: Card) -> list[tuple[str, str]]:
    """Pairs of a heading and what is to be said, without scores and classes."""
    field, files = card.receptive_field, card.files
    at = "500 x 500" if "height" in card.input.shape else _shape(card.input.shape[2:])
    pairs = [("task", f"{card.task_kind}: {card.task}"), ("architecture", card.architecture),
             ("data", "; ".join(_given(card.data.set, card.data.splits, card.data.note)))]
    pairs += [("input", _input(entry)) for entry in card.inputs]
    pairs += [("output", _output(card, entry)) for entry in card.outputs]
    pairs.append(("parameters", f"{card.parameters:,}"))
    pairs.append(("operations", f"{card.gflops_500:,} GFLOP for one image of {at}"))
    if field:
        pairs.append(("receptive field", f"{field.pixels} pixels; predictions every {_pixels(field.stride)}"))
    if files.weights:
        checksum = next((f"{kind} {digest}" for kind, digest in
                         (("SHA-1", files.weights_sha1), ("SHA-256", files.weights_sha256)) if digest), None)
        source = f" ({files.weights_source})" if files.weights_source else ""
        pairs.append(("weights", "; ".join(_given(files.weights, files.weights_url, checksum)) + source))
    else:
        pairs.append(("weights", "none were published"))
    for heading, entries in (("trained", card.training), ("licence", card.licence)):
        if entries:
            pairs.append((heading, "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in entries.items())))
    return pairs


def scores_of(card: Card) -> list[tuple[str, str]]:
    """Pairs of what was scored and the numbers, with their source."""
    return [(what.replace("_", " "), "; ".join(_value(key, value) for key, value in score.items()))
            for what, score in card.scores.items()]


def papers_of(card: Card) -> list[str]:
    """The paper and what else is to be cited, one line each."""
    return [_paper(entry) for entry in (*((card.paper,) if card.paper else ()), *card.citations)]


def _paper(paper: Paper) -> str:
    return ". ".join(_given(paper.authors, paper.title, paper.venue, paper.url))


def _given(*parts: str | None) -> Iterable[str]:
    return (part for part in parts if part)


def _pixels(count: int) -> str:
    return "pixel" if count == 1 else f"{count} pixels"


def _shape(shape: Iterable[int | str]) -> str:
    return " x ".join(map(str, shape))


def _input(entry: Input) -> str:
    steps = [RESIZED[entry.resize].format(*entry.size)] if entry.resize != "none" else []
    if entry.crop:
        steps.append(f"the centre of {_shape(entry.crop)} cut out")
    steps.append(f"channels {entry.channels}, {entry.dtype} from {entry.range[0]:g} to {entry.range[1]:g}")
    if entry.log:
        steps.append("natural logarithm")
    if entry.mean:
        steps.append(f"minus {', '.join(f'{value:.12g}' for value in entry.mean)}")
    if entry.scale != 1:
        steps.append(f"times {entry.scale:g}")
    return f"{entry.blob} ({_shape(entry.shape)}): {'; '.join(steps)}"


def _output(card: Card, entry: Output) -> str:
    classes = card.classes if entry is card.output else entry.classes
    count = f"; {len(classes)} {'joints' if card.task_kind == 'pose' else 'classes'}" if classes else ""
    return f"{entry.blob} ({_shape(entry.shape)}): {entry.meaning}{count}"
