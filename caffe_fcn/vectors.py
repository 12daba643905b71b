"""List types that Caffe's Python interface names."""

from __future__ import annotations


class StringVec(list[str]):
    """A list of names."""
