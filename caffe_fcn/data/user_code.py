"""What is the user's code, and what can it reach?"""

from __future__ import annotations

import functools
import logging
import numbers
import sys
import sysconfig
import types
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from caffe_fcn.blob import Blob
from caffe_fcn.layers.base import Layer
from caffe_fcn.memory import Head

SEARCHED = 5000  # objects that are searched for parts of the engine, the nearest first
ATOMS = (str, bytes, numbers.Number, np.generic, type(None), logging.Logger)  # hold nothing
INSTALLED = {"site-packages", "dist-packages"}  # folders of packages: of the environment, the system, the user


def is_ours(*code: Any) -> bool:
    """Do these classes, functions and methods all belong to this package, and the methods' objects too?"""
    return all(_package(part) == "caffe_fcn" and
               (not isinstance(part, types.MethodType) or _package(type(part.__self__)) == "caffe_fcn")
               for part in code)


def _package(part: Any) -> str:
    return (getattr(part, "__module__", None) or "").partition(".")[0]


@functools.cache
def _is_users(module: str) -> bool:
    """Is a module neither Python's, nor an installed package's, nor this one's?"""
    if module == "__main__" or module not in sys.modules:  # those of Python layers are not always listed
        return True
    file = getattr(sys.modules[module], "__file__", None)
    if not file:
        return False
    path = Path(file).resolve()
    foreign = [Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib")]
    foreign.append(Path(__file__).resolve().parents[1])
    return not INSTALLED & set(path.parts) and not any(folder in path.parents for folder in foreign)


def reaches_engine(layer: Layer, blobs: Iterable[Blob]) -> bool:
    """Can a user's layer reach a net, a solver, a blob or another layer? Then it may look at them.

    Searched are its attributes, its classes, the modules of the user's that these belong to or import, and all that
    they hold; also for a view of the values or gradients of one of `blobs`. True where there is too much to search.
    """
    from caffe_fcn.pycaffe.net_interface import NetInterface
    from caffe_fcn.solvers.base import Solver

    parts = (Blob, Layer, NetInterface, Solver)
    arrays = {id(memory._host_array) for blob in blobs for memory in blob.memories if memory.head is not Head.NONE}
    queue: deque[Any] = deque(_held(layer))
    seen = {id(layer)}
    for _ in range(SEARCHED):
        if not queue:
            break
        value = queue.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, parts) or (isinstance(value, np.ndarray) and id(_owner(value)) in arrays):
            return True
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
    """What an object holds that may hold more: see `_parts`. A pair of texts, say, holds nothing of interest."""
    return (part for part in _parts(value) if not _is_plain(part))


def _variables(module: dict[str, Any]) -> list[Any]:
    """What a module's code has put there; not its loader and the like."""
    return [value for name, value in module.items() if not name.startswith("__")]


def _is_plain(value: Any) -> bool:
    if type(value) is tuple:
        return all(issubclass(kind, ATOMS) for kind in set(map(type, value)))
    return isinstance(value, ATOMS)


def _parts(value: Any) -> Iterable[Any]:
    """Items, attributes, the class of an object, the variables of a function and of a module of the user's."""
    if isinstance(value, types.MethodType):
        return (value.__self__, value.__func__)
    if isinstance(value, types.FunctionType):
        own = _variables(value.__globals__) if _is_users(value.__module__ or "") else []
        return (*map(_content, value.__closure__ or ()), *(value.__defaults__ or ()), *own)
    if isinstance(value, (staticmethod, classmethod)):
        return (value.__func__,)
    if isinstance(value, property):
        return (value.fget, value.fset)
    if isinstance(value, functools.partial):
        return (value.func, *value.args, *value.keywords.values())
    if isinstance(value, types.ModuleType):
        return _variables(vars(value)) if _is_users(value.__name__) else ()
    if isinstance(value, type):
        return (*vars(value).values(), *value.__bases__) if _is_users(value.__module__) else ()
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return () if all(issubclass(kind, ATOMS) for kind in set(map(type, value))) else list(value)
    try:
        return (*object.__getattribute__(value, "__dict__").values(), type(value))
    except AttributeError:
        return (type(value),)
