"""Cut channel-wise work into tiles that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .threads import parallel

TILE = 1 << 17  # elements of a tile: half a megabyte of float32


def tiles(shape: Sequence[int], size: int = TILE) -> list[tuple[slice, slice]]:
    """Slices of the outer and the inner axis of an (outer, channels, inner) array, about `size` elements each.

    Every tile holds all channels, so that what works along axis 1 works on each tile alone.

    >>> tiles((1, 2, 5), 6)
    [(slice(0, 1, None), slice(0, 3, None)), (slice(0, 1, None), slice(3, 5, None))]
    """
    outer, channels, inner = shape
    columns = max(1, min(inner, size // max(1, channels)))
    rows = max(1, size // max(1, channels * columns))
    return [(slice(row, min(row + rows, outer)), slice(column, min(column + columns, inner)))
            for row in range(0, outer, rows) for column in range(0, inner, columns)]


def each_tile(function: Callable[..., Any], *arrays: Any) -> list[Any]:
    """The results of function(*views) for each tile of the (outer, channels, inner) arrays, over the cores.

    Arrays of two axes are (outer, inner) and are cut alike. Tiles do not depend on the number of threads.
    """
    places = tiles(arrays[0].shape)
    results = [None] * len(places)

    def work(first: int, last: int) -> None:
        for number in range(first, last):
            row, column = places[number]
            results[number] = function(*(a[row, :, column] if a.ndim == 3 else a[row, column] for a in arrays))

    parallel(work, len(places))
    return results
