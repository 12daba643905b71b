"""The model family: one folder per net, and the building blocks that their programs share.

Installed as the package `caffe_fcn_models`; `folder` finds a net's files in a checkout and in an installed package.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent


def names() -> list[str]:
    """The names of all nets, sorted: the folders that hold a prototxt."""
    return sorted({file.parent.name for file in ROOT.glob("*/*.prototxt")})


def folder(name: str) -> Path:
    """The folder of a net. KeyError, with the names that there are, for one that is not here."""
    if name not in names():
        raise KeyError(f"there is no model {name!r}; there are {', '.join(names())}")
    return ROOT / name
