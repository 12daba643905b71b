"""What `inspect.signature` shows of the names that scripts know: the arguments as the original has them, bare."""

from __future__ import annotations

import inspect
import sys
from types import FunctionType
from typing import Any


def bare_signatures(module: str) -> None:
    """Leave the type hints out of the signatures of a module's functions and methods.

    Type checkers and `typing.get_type_hints` still see them; programs that compare argument lists do not.
    """
    for thing in vars(sys.modules[module]).values():
        if getattr(thing, "__module__", None) == module:
            for function in vars(thing).values() if isinstance(thing, type) else [thing]:
                if isinstance(function, FunctionType):
                    _bare(function)


def _bare(function: Any) -> None:
    full = inspect.signature(function)
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in full.parameters.values()]
    function.__signature__ = full.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
