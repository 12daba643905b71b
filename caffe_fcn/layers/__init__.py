"""The layers: base.py holds the protocol, registry.py the table of types, one file each type."""

from .base import Layer
from .registry import layer_type_list, register

__all__ = ["Layer", "layer_type_list", "register"]
