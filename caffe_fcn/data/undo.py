"""Putting a user's layer and the global random generators back to where they were."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from caffe_fcn.layers.base import Layer

LARGEST = 1 << 20  # bytes of an array that is kept; larger ones are images, which are made anew


class Undo:
    """Remembers, when it is made, where some layers and the generators of `random` and `numpy.random` stand.

    Of a layer these are its attributes, what lists, dicts, small arrays and generators among them hold, and what its
    `run_state` gives if it has one. What lies deeper, such as the position of an open file, is not remembered.
    """

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._steps = [_generator(random), _generator(np.random)]
        for layer in layers:
            self._steps += _attributes(layer)

    def __call__(self) -> None:
        """Put everything back."""
        for step in self._steps:
            step()


def _attributes(layer: Any) -> Iterator[Callable[[], Any]]:
    kept = dict(vars(layer))

    def put_back() -> None:
        vars(layer).clear()
        vars(layer).update(kept)

    yield put_back
    for value in kept.values():
        yield _content(value)
    if hasattr(layer, "run_state") and hasattr(layer, "set_run_state"):
        state = layer.run_state()
        yield lambda: layer.set_run_state(state)


def _content(value: Any) -> Callable[[], Any]:
    if type(value) is list:
        items = value[:]
        return lambda: value.__setitem__(slice(None), items)
    if type(value) is dict:
        entries = dict(value)

        def refill() -> None:
            value.clear()
            value.update(entries)

        return refill
    if type(value) is np.ndarray and value.nbytes <= LARGEST and value.flags.writeable:
        numbers = value.copy()
        return lambda: value.__setitem__(..., numbers)
    return _generator(value)


def _generator(value: Any) -> Callable[[], Any]:
    """A function that puts a random generator back; one that does nothing for any other value."""
    if value is random or type(value) is random.Random:
        python_state = value.getstate()
        return lambda: value.setstate(python_state)
    if value is np.random or isinstance(value, np.random.RandomState):
        numpy_state = value.get_state()
        return lambda: value.set_state(numpy_state)
    if isinstance(value, np.random.Generator):
        bits = value.bit_generator
        bits_state = bits.state
        return lambda: setattr(bits, "state", bits_state)
    return lambda: None
