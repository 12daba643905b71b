"""Classification: the most probable classes of a photo."""

from __future__ import annotations

import numpy as np

from ...errors import NetError
from ..card import Card
from .view import Prediction, View


def suffixes(card: Card) -> list[str]:
    """There are no pictures."""
    return []


def predict(view: View) -> Prediction:
    """The `top` classes with their probabilities; for a net that gives a map of them, of the mean over all places.

    Raises NetError if the net has another number of classes than the card.
    """
    output, classes = view.card.output, view.card.classes
    found = view.outputs[output.blob]
    if found.shape[:1] != (len(classes),):
        raise NetError(f"the card of '{view.card.name}' has {len(classes)} classes; '{output.blob}' of the net has the "
                       f"shape {(1, *found.shape)}")
    probabilities = found.reshape(len(classes), -1).mean(axis=1)
    order = np.argsort(-probabilities, kind="stable")[:view.options.top].tolist()
    top = [{"id": number, "name": classes[number].name, "probability": float(probabilities[number])}
           for number in order]
    places = {"map": np.argmax(found, axis=0).tolist()} if found.ndim == 3 and found[0].size > 1 else {}
    return Prediction({}, {"top": top, **places},
                      "\n".join(f"{entry['probability']:7.4f}  {entry['name']}" for entry in top))
