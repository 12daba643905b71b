"""What a pass returns on a GPU: a dict whose arrays come to the host when they are asked for."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import TYPE_CHECKING, Any

import numpy as np

from ..blob import Blob

if TYPE_CHECKING:
    from collections.abc import Callable


class Fetched(dict[str, np.ndarray]):
    """Arrays of blobs by name, copied when they are asked for. A script that ignores the result costs no copy.

    Each access gives what the blob holds then, as Caffe's views do. An array that somebody still has from before is
    brought up to date at once, as Caffe does with all of them. KeyError for a name that is no blob.

    half  "data" or "diff"
    """

    def __init__(self, blobs: Mapping[str, Blob], names: Iterable[str], half: str) -> None:
        super().__init__({name: blobs[name] for name in names})  # type: ignore[misc]
        self._half = half
        for name in self:
            if blobs[name].memories[half == "diff"].is_held():
                self[name]

    def __getitem__(self, name: str) -> np.ndarray:
        return self._array(super().__getitem__(name))

    def _array(self, value: Any) -> Any:
        """The array of a value that is kept here: a blob, or what the user has put in."""
        return getattr(value, self._half) if isinstance(value, Blob) else value

    # a dict's own methods would show the blobs

    def __iter__(self) -> Iterator[str]:
        return super().__iter__()  # makes dict(...) ask for the values one by one

    def __repr__(self) -> str:
        return repr(self.copy())

    def __eq__(self, other: object) -> bool:
        return self.copy() == other

    def __ne__(self, other: object) -> bool:
        return self.copy() != other

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return dict, (self.copy(),)  # pickled and copied as what it looks like

    def get(self, name: str, default: Any = None) -> Any:
        """As of a dict."""
        return self._array(super().get(name, default))

    def setdefault(self, name: str, default: Any = None) -> Any:
        """As of a dict."""
        return self._array(super().setdefault(name, default))

    def pop(self, name: str, *default: Any) -> Any:
        """As of a dict."""
        return self._array(super().pop(name, *default))

    def popitem(self) -> tuple[str, np.ndarray]:
        """As of a dict."""
        name, value = super().popitem()
        return name, self._array(value)

    def copy(self) -> dict[str, np.ndarray]:
        """A plain dict of all arrays."""
        return {name: self[name] for name in self}

    def items(self) -> ItemsView[str, np.ndarray]:  # type: ignore[override]
        """As of a dict."""
        return ItemsView(self)

    def values(self) -> ValuesView[np.ndarray]:  # type: ignore[override]
        """As of a dict."""
        return ValuesView(self)
