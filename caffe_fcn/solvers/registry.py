"""The table of solver types."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Solver

BUILT_IN = ("AdaDelta", "AdaGrad", "Adam", "Nesterov", "RMSProp", "SGD")  # each in the module of its name
_registered: dict[str, type[Solver]] = {}


def register_solver(type_name: str) -> Callable[[type[Solver]], type[Solver]]:
    """Class decorator: make a Solver subclass available under a solver file's `type`."""

    def add(cls: type[Solver]) -> type[Solver]:
        cls.type = type_name
        _registered[type_name] = cls
        return cls

    return add


def solver_class(type_name: str) -> type[Solver] | None:
    """The class of a solver type (case counts), or None."""
    if type_name in BUILT_IN:
        importlib.import_module(f"{__package__}.{type_name.lower()}")
    return _registered.get(type_name)


def solver_type_list() -> list[str]:
    """All solver types by name: Caffe's own, then the registered ones."""
    return [*BUILT_IN, *sorted(set(_registered) - set(BUILT_IN))]
