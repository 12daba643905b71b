"""Give blobs' memory back as soon as no later layer of a forward pass reads it: `Net(..., keep="outputs")`."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from . import mode
from .ops.cpu.threads import drop_scratch

if TYPE_CHECKING:
    from .net_build import Wiring


class _Group(NamedTuple):
    """Blobs that share one memory: their ids, and the indices of the layers that write it first and use it last.

    For what is kept, `last` is the number of layers.
    """

    blobs: list[int]
    born: int
    last: int


class Recycler:
    """Follows the forward pass of a net, layer by layer.

    Kept are the net's outputs and inputs, all other tops of layers without bottoms (constants are filled only once)
    and of users' layers (which may read them again), parameters, and what `keep_also` names. To read what was given
    back is an error (`Memory.recycled`).
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._groups = self._all_groups()
        self._born: dict[int, list[_Group]] = {}
        self._dying: dict[int, list[_Group]] = {}
        for group in self._groups:
            self._born.setdefault(group.born, []).append(group)
            self._dying.setdefault(group.last, []).append(group)
        self._also: set[int] = set()
        for layer in wiring.layers:
            layer.needs_backward = False

    def _all_groups(self) -> list[_Group]:
        """Those of all memories but parameters. Which blobs share one never changes after the net was built."""
        wiring = self._wiring
        spans: dict[int, _Group] = {}
        for i, ids in enumerate(zip(wiring.bottom_ids, wiring.top_ids, strict=True)):
            for k in itertools.chain(*ids):
                group = spans.setdefault(id(wiring.blobs[k].memories[0]), _Group([], i, i))
                spans[id(wiring.blobs[k].memories[0])] = group._replace(blobs=[*group.blobs, k], last=i)
        kept = set(wiring.outputs)
        for layer, bottoms, tops in zip(wiring.layers, wiring.bottom_ids, wiring.top_ids, strict=True):
            if not bottoms or not type(layer).__module__.startswith("caffe_fcn."):
                kept.update(tops)
        parameters = {id(param.blob.memories[0]) for param in wiring.params.all}
        end = len(wiring.layers)
        return [group if kept.isdisjoint(group.blobs) else group._replace(last=end)
                for memory, group in spans.items() if memory not in parameters]

    def keep_also(self, names: Iterable[str]) -> None:
        """Keep these blobs, too, until the next call."""
        wanted = set(names)
        self._also = {k for k, name in enumerate(self._wiring.blob_names) if name in wanted}

    def before(self, layer: int) -> None:
        """The layer is going to write its tops."""
        for group in self._born.get(layer, ()):
            for k in group.blobs:
                self._wiring.blobs[k].memories[0].recycled = False

    def after(self, layer: int) -> None:
        """The layer has run: give back what nobody behind it reads."""
        for group in self._dying.get(layer, ()):
            if self._also.isdisjoint(group.blobs):
                for k in group.blobs:
                    self._wiring.blobs[k].memories[0].recycle()
        if layer == len(self._wiring.layers) - 1:
            drop_scratch()  # the first layers, whose blobs are the largest, need less than the last ones

    @contextlib.contextmanager
    def looking_at_shapes(self) -> Iterator[None]:
        """While layers reshape outside a pass, users' layers may look at arrays, as in `bottom[0].data.shape`."""
        blobs = self._wiring.blobs
        given = [k for group in self._groups for k in group.blobs if blobs[k].memories[0].recycled]
        for k in given:
            blobs[k].memories[0].recycled = False
        try:
            yield
        finally:
            for k in given:
                blobs[k].memories[0].recycle()

    def missing(self, used: Iterable[int]) -> tuple[int, int]:
        """As `Net._missing_memory`: how many of these blobs have no values, and the most bytes they take at a time."""
        wiring, end, device = self._wiring, len(self._wiring.layers), mode.device()
        spans = {}
        for group in self._groups:
            last = group.last if self._also.isdisjoint(group.blobs) else end
            spans.update({id(wiring.blobs[k].memories[0]): (group.born, last) for k in group.blobs})
        change = [0] * (end + 2)
        missing = {id(memory): memory for k in used if (memory := wiring.blobs[k].memories[0]).is_missing(device)}
        for key, memory in missing.items():
            born, last = spans.get(key, (0, end))
            change[born] += memory.nbytes
            change[last + 1] -= memory.nbytes
        return len(missing), max(itertools.accumulate(change))
