"""What a pass returns on a GPU: a dict whose arrays come to the host when they are asked for."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..blob import Blob


class Fetched(dict[str, np.ndarray]):
    """Arrays of blobs by name; the first access of each copies it. A script that ignores the result costs no copy.

    half  "data" or "diff"
    """

    def __init__(self, blobs: Mapping[str, Blob], names: Iterable[str], half: str) -> None:
        super().__init__(dict.fromkeys(names))  # type: ignore[arg-type]
        self._blobs, self._half = blobs, half

    def __getitem__(self, name: str) -> np.ndarray:
        if super().__getitem__(name) is None:
            self[name] = getattr(self._blobs[name], self._half)
        return super().__getitem__(name)

    # a dict's own methods would show what is not there yet

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()  # makes dict(...) ask for the values one by one

    def __repr__(self) -> str:
        return repr(self.copy())

    def __eq__(self, other: object) -> bool:
        return self.copy() == other

    def get(self, name: str, default: Any = None) -> Any:
        """As of a dict."""
        try:
            return self[name]
        except KeyError:
            return default

    def pop(self, name: str, *default: Any) -> Any:
        """As of a dict."""
        if name in self:
            self[name]
        return super().pop(name, *default)

    def copy(self) -> dict[str, np.ndarray]:
        """A plain dict of all arrays."""
        return {name: self[name] for name in self}

    def items(self) -> ItemsView[str, np.ndarray]:  # type: ignore[override]
        """As of a dict."""
        return ItemsView(self)

    def values(self) -> ValuesView[np.ndarray]:  # type: ignore[override]
        """As of a dict."""
        return ValuesView(self)
