"""What is the user's code, and what can it reach?"""

from __future__ import annotations

import functools
import logging
import numbers
import types
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from caffe_fcn.blob import Blob
from caffe_fcn.layers.base import Layer
from caffe_fcn.memory import Head

SEARCHED = 1000  # objects that are searched for parts of the engine, the nearest first
MANY = 50  # items of a list that are searched
ATOMS = (str, bytes, numbers.Number, np.generic, type, type(None), types.ModuleType, logging.Logger)


def is_ours(*code: Any) -> bool:
    """Do these classes, functions and methods all belong to this package, and the methods' objects too?"""
    return all(_package(part) == "caffe_fcn" and
               (not isinstance(part, types.MethodType) or _package(type(part.__self__)) == "caffe_fcn")
               for part in code)


def _package(part: Any) -> str:
    return (getattr(part, "__module__", None) or "").partition(".")[0]


def reaches_engine(layer: Layer, blobs: Iterable[Blob]) -> bool:
    """Does a user's layer, or its module, hold a net, a solver, a blob or another layer? Then it may look at them.

    So it may if it holds a view of the values or gradients of one of `blobs`.
    """
    from caffe_fcn.pycaffe.net_interface import NetInterface
    from caffe_fcn.solvers.base import Solver

    parts = (Blob, Layer, NetInterface, Solver)
    arrays = {id(memory._host_array) for blob in blobs for memory in blob.memories if memory.head is not Head.NONE}
    if any(isinstance(value, parts) for value in getattr(layer.forward, "__globals__", {}).values()):
        return True
    queue: deque[Any] = deque(_held(layer))
    seen = {id(layer)}
    for _ in range(SEARCHED):
        if not queue:
            break
        value = queue.popleft()
        if isinstance(value, parts) or (isinstance(value, np.ndarray) and id(_owner(value)) in arrays):
            return True
        if id(value) not in seen:
            seen.add(id(value))
            queue.extend(_held(value))
    return bool(queue)


def _owner(array: np.ndarray) -> np.ndarray:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None


def _held(value: Any) -> Iterator[Any]:
    """What an object holds: items, attributes, the object of a method, the variables of a closure."""
    if isinstance(value, types.MethodType):
        held: Iterable[Any] = (value.__self__, value.__func__)
    elif isinstance(value, types.FunctionType):
        held = map(_content, value.__closure__ or ())
    elif isinstance(value, functools.partial):
        held = (value.func, *value.args, *value.keywords.values())
    elif isinstance(value, dict):
        held = value.values()
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        held = value
    else:
        try:
            held = object.__getattribute__(value, "__dict__").values()
        except AttributeError:
            held = ()
    return (inner for inner in islice(held, MANY) if not isinstance(inner, ATOMS))
