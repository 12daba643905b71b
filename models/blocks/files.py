"""Prototxts of a net beside its program, in the style of `caffe-fcn fmt`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.prototxt.format import format_text
from caffe_fcn.prototxt.lint import lint_text

HEADER = "# Written by nets.py.\n"
REASONS = {  # why a published net keeps what `caffe-fcn lint` would change
    "bias-before-norm": "as published",
    "deconv-zero": "as published: solve.py fills these kernels",
    "old-axis": "as published",
    "old-normalize": "as published",
    "padding-not-needed": "as published, for images of any size",
}

Nets = Mapping[str, Any]  # by the name of the file without its ending: NetParameters and SolverParameters


def text(message: Any) -> str:
    """A NetParameter or SolverParameter as formatted text, with a reason for each rule of `lint` that it breaks."""
    plain = HEADER + format_text(str(message), type(message))
    broken = sorted({finding.rule for finding in lint_text(plain)} & set(REASONS))
    return HEADER + "".join(f"# lint: ignore-file[{rule}] {REASONS[rule]}\n" for rule in broken) + plain[len(HEADER):]


def write(program: str, nets: Nets) -> None:
    """Write NAME.prototxt into the folder of `program` (its `__file__`), for each name of `nets`.

    Each file appears whole or not at all. Raises OSError where the folder cannot be written.
    """
    for name, message in nets.items():
        with atomic_write(str(Path(program).with_name(f"{name}.prototxt"))) as target:
            target.write(text(message).encode())
