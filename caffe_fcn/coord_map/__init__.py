"""Coordinate maps: where the pixels of one blob lie in another, and which pixels they see.

>>> from caffe_fcn.coord_map import CoordMaps
>>> maps = CoordMaps("deploy.prototxt")                   # doctest: +SKIP
>>> maps.between("upscore", "data").shift                 # doctest: +SKIP
(Fraction(-19, 1),)
>>> maps.receptive_field("fc7", "data").size              # doctest: +SKIP
(404,)

The algebra is that of the fully convolutional nets of Shelhamer, Long and Darrell (PAMI 2017), with exact fractions.
"""

from . import forks  # noqa: F401 (adds its rules)
from .affine import AxisMap, CoordMap
from .field import ReceptiveField
from .maps import CoordMaps
from .rules import AxisMismatch, UndefinedMap, Window, layer_windows, register_windows

__all__ = [
    "AxisMap",
    "AxisMismatch",
    "CoordMap",
    "CoordMaps",
    "ReceptiveField",
    "UndefinedMap",
    "Window",
    "layer_windows",
    "register_windows",
]
