"""Segmentation: the class of each pixel as a picture with a palette, and over the photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import NotSupportedError
from ..card import Card, Class, Output
from .view import Prediction, View, described

OPAQUE = 0.55  # of the colours over the photo
SHOWN = 5  # classes in the text


def _labelled(card: Card) -> list[tuple[str, Output, tuple[Class, ...]]]:
    """Suffix, output, classes: of the main output, and of further ones that have classes of their own."""
    more = [(f"_{output.blob}", output, output.classes) for output in card.more_outputs if output.classes]
    return [("", card.output, card.classes), *more]


def suffixes(card: Card) -> list[str]:
    """Of the pictures. Raises NotSupportedError for more classes than a palette has colours, and for none."""
    for _, output, classes in _labelled(card):
        if not 0 < len(classes) <= 256:
            raise NotSupportedError(f"{card.folder}: label pictures have 1 to 256 classes, output '{output.blob}' has "
                                    f"{len(classes)}")
    return [f"{suffix}{end}" for suffix, _, _ in _labelled(card) for end in (".png", "_overlay.png")]


def predict(view: View) -> Prediction:
    """Pictures of labels (mode P, the value of a pixel is its class), the same over the photo, and the shares."""
    pictures: dict[str, Any] = {}
    facts: list[dict[str, Any]] = []
    for suffix, output, classes in _labelled(view.card):
        scores = view.maps(output, len(classes))
        labels = view.to_photo(np.argmax(scores, axis=0).astype(np.uint8))
        pictures[f"{suffix}.png"], pictures[f"{suffix}_overlay.png"] = _pictures(view, labels, classes)
        facts.append({"output": output.blob, "classes": _shares(labels, classes)})
    more = {"more": facts[1:]} if facts[1:] else {}
    return Prediction(pictures, {"classes": facts[0]["classes"], **more},
                      "\n".join(_text(entry["classes"]) for entry in facts))


def _pictures(view: View, labels: np.ndarray, classes: Sequence[Class]) -> tuple[Any, Any]:
    from PIL import Image

    picture = Image.fromarray(labels)
    picture.putpalette([part for entry in classes for part in entry.colour])
    return picture, Image.blend(view.colours(), picture.convert("RGB"), OPAQUE)


def _shares(labels: np.ndarray, classes: Sequence[Class]) -> list[dict[str, Any]]:
    counts = np.bincount(labels.ravel(), minlength=len(classes)).tolist()
    return [{**described(number, entry), "pixels": count, "share": count / labels.size}
            for number, (entry, count) in enumerate(zip(classes, counts, strict=True))]


def _text(shares: list[dict[str, Any]]) -> str:
    seen = sorted((entry for entry in shares if entry["pixels"]), key=lambda entry: -entry["pixels"])
    return ", ".join(f"{entry['name']} {entry['share']:.1%}" for entry in seen[:SHOWN])
