"""Tables from a name (layer type, operation) to the function that converts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Table(dict[str, Callable[..., Any]]):
    """A dict that functions enter by decoration."""

    def of(self, *names: str) -> Callable[[F], F]:
        """Decorator: this function is the entry of all these names."""
        def enter(function: F) -> F:
            self.update(dict.fromkeys(names, function))
            return function
        return enter
