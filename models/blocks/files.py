"""Prototxts of a net beside its program, in the style of `caffe-fcn fmt`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.prototxt.format import format_text

Nets = Mapping[str, Any]  # by the name of the file without its ending: NetParameters and SolverParameters


def text(message: Any) -> str:
    """A NetParameter or SolverParameter as formatted text."""
    return format_text(str(message), type(message))


def write(program: str, nets: Nets) -> None:
    """Write NAME.prototxt into the folder of `program` (its `__file__`), for each name of `nets`.

    Each file appears whole or not at all. Raises OSError where the folder cannot be written.
    """
    for name, message in nets.items():
        with atomic_write(str(Path(program).with_name(f"{name}.prototxt"))) as target:
            target.write(text(message).encode())
