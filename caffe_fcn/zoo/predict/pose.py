"""Poses: joints in heat maps, and the skeleton over the photo."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import NotSupportedError
from ...pose import Mode, draw_skeleton, find_modes
from ..card import Card
from .view import Prediction, View, described

LIKELY = 0.1  # probability from which on a joint is drawn


def suffixes(card: Card) -> list[str]:
    """Of the picture. Raises NotSupportedError for a card without joints."""
    if not card.classes:
        raise NotSupportedError(f"{card.folder}: a card of task_kind = 'pose' names its joints as classes")
    return [".png"]


def predict(view: View) -> Prediction:
    """The skeleton over the photo; several places for each joint, in pixels of the photo."""
    card, options = view.card, view.options
    heat = view.maps(card.output, len(card.classes))
    height, width = view.photo.shape[:2]
    across, down = width / heat.shape[2], height / heat.shape[1]
    joints = [[Mode((mode.x + 0.5) * across - 0.5, (mode.y + 0.5) * down - 0.5, mode.score) for mode in modes]
              for modes in find_modes(heat, options.modes, refine=options.refine)]
    best = np.array([modes[0] for modes in joints])
    picture = draw_skeleton(view.colours(), best, card.skeleton, [entry.colour for entry in card.classes], LIKELY)
    facts: list[dict[str, Any]] = [{**described(number, entry), **modes[0]._asdict(),
                                    "modes": [mode._asdict() for mode in modes]}
                                   for number, (entry, modes) in enumerate(zip(card.classes, joints, strict=True))]
    lines = [f"{entry.name}: {modes[0].x:.1f}, {modes[0].y:.1f} ({modes[0].score:.2f})"
             for entry, modes in zip(card.classes, joints, strict=True)]
    return Prediction({".png": picture}, {"drawn_from": LIKELY, "joints": facts}, "\n".join(lines))
