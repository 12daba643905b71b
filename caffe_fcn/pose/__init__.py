"""Poses as heat maps, as in the FCN tutorial of CVPR 2015: discs to train on, joints found in maps, their drawing."""

from __future__ import annotations

from .discs import label_maps
from .draw import draw_skeleton
from .peaks import Mode, best_joints, find_modes

__all__ = ["Mode", "best_joints", "draw_skeleton", "find_modes", "label_maps"]
