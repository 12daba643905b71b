"""Prototxt as text: read and change it without losing a comment, format, check, compare and summarise it.

>>> net = parse('layer { name: "a" type: "ReLU" bottom: "x" top: "x" }  # kept')
>>> net.set("layer[a].relu_param.negative_slope", 0.1, force=True)
>>> print(net)
layer { name: "a" type: "ReLU" bottom: "x" top: "x" relu_param { negative_slope: 0.1 } }  # kept
"""

from __future__ import annotations

import os

from ..proto import caffe_pb2
from .deploy import to_deploy, to_train
from .document import Document, Part, read_text
from .format import format_text
from .heads import change_classes
from .net_document import LayerPart, NetDocument

__all__ = [
    "Document",
    "LayerPart",
    "NetDocument",
    "Part",
    "change_classes",
    "format_text",
    "parse",
    "parse_solver",
    "read",
    "to_deploy",
    "to_train",
]


def parse(text: str, file: str | None = None) -> NetDocument:
    """The document of a net's text; `file` is named in errors. Raises PrototxtError (file:line:column)."""
    return NetDocument(text, file)


def parse_solver(text: str, file: str | None = None) -> Document:
    """The document of a solver's text. Raises PrototxtError."""
    return Document(text, caffe_pb2.SolverParameter, file)


def read(path: str | os.PathLike[str]) -> NetDocument:
    """The document of a net's file. Raises MissingFileError, PrototxtError."""
    return NetDocument(read_text(path), os.fspath(path))
