"""What Concat and Slice share: the axis, and the ranges along it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..blob import Blob
from ..errors import LayerError


def joint_axis(param: Any, old_name: str, blob: Blob) -> int:
    """The axis that a ConcatParameter or SliceParameter means, by its field `axis` or by an older name."""
    if param.HasField("axis") and param.HasField(old_name):
        raise LayerError(f"give 'axis' or '{old_name}', not both ('{old_name}' is its old name)")
    if not param.HasField(old_name):
        return blob.axis(param.axis)
    return blob.axis(getattr(param, old_name))


def parts(sizes: Iterable[int], axis: int) -> Iterator[tuple[slice, ...]]:
    """Indices of adjacent parts of these sizes along an axis.

    >>> list(parts([2, 3], 1))
    [(slice(None, None, None), slice(0, 2, None)), (slice(None, None, None), slice(2, 5, None))]
    """
    start = 0
    for size in sizes:
        yield (*[slice(None)] * axis, slice(start, start + size))
        start += size


def alias(top: Blob, bottom: Blob, shape: Iterable[int]) -> None:
    """Make top another view of bottom's data and diff."""
    top.reshape(*shape)
    top.share_data(bottom)
    top.share_diff(bottom)
