"""Edges: the probability of an edge at each pixel in grey, and over the photo."""

from __future__ import annotations

import numpy as np

from ..card import Card
from .view import Prediction, View

COLOUR = np.array([255, 32, 32], np.float32)  # of edges over the photo
DIMMED = 0.6  # the photo below them
SURE = 0.5


def suffixes(card: Card) -> list[str]:
    """Of the pictures."""
    return [".png", "_overlay.png"]


def predict(view: View) -> Prediction:
    """A grey picture, 0 for a probability of 0, 255 for 1; the same in red over the photo; the share of edges."""
    from PIL import Image

    edges = np.clip(view.to_photo(view.maps(view.card.output, 1)[0]), 0, 1)
    over = DIMMED * view.photo * (1 - edges[:, :, None]) + COLOUR * edges[:, :, None]
    pictures = {".png": Image.fromarray(np.rint(255 * edges).astype(np.uint8)),
                "_overlay.png": Image.fromarray(over.astype(np.uint8))}
    share = float(np.mean(edges >= SURE))
    facts = {"edges": {"threshold": SURE, "share": share, "mean": float(edges.mean()), "max": float(edges.max())}}
    return Prediction(pictures, facts, f"{share:.1%} of the pixels are edges, with a probability of {SURE} or more")
