"""CUDA graphs: the kernels of many layers as one launch, once the same pass has come often enough.

A run of layers is captured when all of them only start kernels (`CAPTURED`), nobody watches the layers, and the same
pass has come `USES` times: same shapes, same memory, same precision. A graph repeats the kernels with the pointers and
numbers that they had, so it is used only as long as these are the same; else the layers run one by one, and count anew.
Updates of parameters stay outside: their learning rate changes.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import mode, ops, stats
from ..errors import CaffeFcnError
from ..memory import Head, Memory
from ..precision import matmul_precision

if TYPE_CHECKING:
    from ..blob import Blob
    from ..net_build import Wiring

USES = 32  # of a pass before it is captured: by then the plans of its convolutions are settled
KEPT = 16  # graphs of a net, each with the memory of its temporary arrays
SEEN = 256  # passes that are counted
ATTEMPTS = 3  # to capture a pass
CAPTURED = frozenset(str.split("""
    AbsVal Bias Concat Convolution Crop Deconvolution Dropout ELU Eltwise EuclideanLoss Flatten InnerProduct Input LRN
    PReLU Pooling Power ReLU Reshape Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split
    TanH
"""))  # types that wait for nothing and keep nothing on the host that differs between passes

logger = logging.getLogger("caffe_fcn.gpu")
_numbers = itertools.count()
_enabled = os.environ.get("CAFFE_FCN_CUDA_GRAPHS", "") not in ("", "0")


def set_cuda_graphs(enabled: bool) -> None:
    """Let passes in GPU mode that repeat run as CUDA graphs, or not (as at first; CAFFE_FCN_CUDA_GRAPHS=1 changes it).

    Process-wide, from the next pass on. Numbers are the same.
    """
    global _enabled
    _enabled = bool(enabled)


def cuda_graphs() -> bool:
    """Are CUDA graphs in use?"""
    return _enabled


class Recorded:
    """One captured run of layers, with all that must be as it was to run it again.

    keeps  the pool of temporary arrays, the flags of refused values, the losses: what the graph writes to
    """

    def __init__(self, wiring: Wiring, layers: Sequence[int], backward: bool) -> None:
        self._blobs = _blobs(wiring, layers)
        self._made = {id(blob) for i in layers for blob in wiring.tops[i] if wiring.bottoms[i]}
        self._shapes: list[tuple[int, ...]] = []
        read, written = _memories(wiring, layers, backward)
        self._written = [memory for memory in written if memory._device_array is not None]
        self._arrays = [(memory, memory._device_array) for memory in [*read, *written]]  # None: not used
        self._layers = [wiring.layers[i] for i in layers]
        self._states: list[dict[str, Any]] = []
        self.number = next(_numbers)
        self.graph: Any = None
        self.losses: list[Any] = []
        self.refusals: Any = None
        self.pool: Any = None

    def is_valid(self) -> bool:
        """Are shapes and memory those of the capture? Blobs that these layers make get their shapes first."""
        for blob, shape in zip(self._blobs, self._shapes, strict=True):
            if blob.shape != shape:
                if id(blob) not in self._made:
                    return False
                blob.reshape(*shape)
        return self.has_its_memory()

    def has_its_memory(self) -> bool:
        """Is the memory where it was?"""
        return all(memory._device_array is array for memory, array in self._arrays)

    def captured(self, graph: Any, losses: list[Any], refusals: Any, pool: Any) -> None:
        """The capture is done."""
        self.graph, self.losses, self.refusals, self.pool = graph, losses, refusals, pool
        self._shapes = [blob.shape for blob in self._blobs]
        self._states = [dict(vars(layer)) for layer in self._layers]

    def prepare(self) -> None:
        """Bring values that the host has changed to the device."""
        device: Any = mode.device()
        written = {id(memory) for memory in self._written}
        for memory, array in self._arrays:
            if memory.head is Head.HOST and array is not None:
                memory.on(device)
                memory.head = Head.DEVICE if id(memory) in written else Head.SYNCED

    def run(self) -> list[Any]:
        """Run the kernels on the current stream; returns the losses. Afterwards memory and layers are as after a pass
        through the layers one by one.
        """
        self.prepare()
        self.graph.launch()
        for memory in self._written:
            memory.head = Head.DEVICE
        for layer, state in zip(self._layers, self._states, strict=True):
            vars(layer).update(state)
        return self.losses


class Graphs:
    """The graphs of a net; `callbacks` are those of the net, by moment."""

    def __init__(self, wiring: Wiring, callbacks: Mapping[str, Sequence[Callable[[int], Any]]]) -> None:
        self._wiring, self._callbacks = wiring, callbacks
        self._fits = [kind in CAPTURED and type(layer).__module__.startswith("caffe_fcn.")
                      for kind, layer in zip(wiring.types, wiring.layers, strict=True)]
        self._uses: OrderedDict[Hashable, int] = OrderedDict()
        self._recorded: OrderedDict[Hashable, Recorded] = OrderedDict()
        self._failures: Counter[Hashable] = Counter()
        self._last: Recorded | None = None  # what the latest forward pass ran, if it was a graph
        self.enabled = True

    def forget(self) -> None:
        """Give all graphs and their memory back."""
        self._recorded.clear()
        self._uses.clear()
        self._failures.clear()
        self._last = None

    def parts(self, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """The layers from `start` to `end` (both included, downwards if `end` is less) as runs (first, last, whether
        it may be a graph): the longest run of layers that can be captured, what comes before, and what comes after.
        """
        if start <= end:
            self._last = None
        first, last = min(start, end), max(start, end)
        best = self._longest(first, last) if self._in_use() else None
        if best is None:
            yield start, end, False
            return
        cuts = [(first, best[0] - 1, False), (*best, True), (best[1] + 1, last, False)]
        for a, b, is_graph in cuts if start <= end else reversed(cuts):
            if a <= b:
                yield (a, b, is_graph) if start <= end else (b, a, is_graph)

    def _in_use(self) -> bool:
        return _enabled and self.enabled and mode.device() is not None and not any(self._callbacks.values())

    def _longest(self, first: int, last: int) -> tuple[int, int] | None:
        best, start = (0, -1), first
        for i in range(first, last + 2):
            if i > last or not self._fits[i]:
                if i - start > best[1] - best[0] + 1:
                    best = start, i - 1
                start = i + 1
        return best if best[1] > best[0] else None

    def run(self, start: int, end: int, refusals: Any, one_by_one: Callable[[Any], list[Any]]) -> list[Any]:
        """Run layers as a graph if there is one or it is time for one, else by `one_by_one`; returns the losses.

        refusals  of the pass, given to `one_by_one`; those of the graph are added
        """
        backward = start > end
        if backward and self._last is None:  # what the layers keep for it is new after each forward pass
            return one_by_one(refusals)
        key = self._key(start, end, backward)
        recorded = self._recorded.get(key)
        if recorded is not None and not recorded.is_valid():
            del self._recorded[key]
            self._uses.pop(key, None)
            recorded = None
        if recorded is None:
            if self._failures[key] >= ATTEMPTS or self._count(key) <= USES:
                return one_by_one(refusals)
            recorded = self._capture(key, start, end, one_by_one)
            if recorded is None:
                return one_by_one(refusals)
        self._recorded.move_to_end(key)
        if not backward:
            self._last = recorded
        losses = recorded.run()
        refusals.add_all(recorded.refusals)
        stats.count("graph launches")
        return losses

    def _key(self, start: int, end: int, backward: bool) -> Hashable:
        """What a graph is for. A backward pass reads what the layers kept of one forward pass: it belongs to that."""
        tops = self._wiring.bottoms[min(start, end)] or self._wiring.tops[min(start, end)]
        shapes = tuple(blob.shape for blob in (*(self._wiring.blobs[i] for i in self._wiring.inputs), *tops))
        return (start, end, shapes, matmul_precision(), ops.current(), mode.device(),
                self._last.number if backward and self._last else None)

    def _count(self, key: Hashable) -> int:
        self._uses[key] = self._uses.pop(key, 0) + 1
        while len(self._uses) > SEEN:
            self._uses.popitem(last=False)
        return self._uses[key]

    def _capture(self, key: Hashable, start: int, end: int, one_by_one: Callable[[Any], list[Any]]) -> Recorded | None:
        """Record what the layers do, without doing it; None if they do more than start kernels: another
        attempt follows later, for it may have been a trial of a plan, but not many.
        """
        layers = range(min(start, end), max(start, end) + 1)
        recorded = Recorded(self._wiring, layers, start > end)
        while len(self._recorded) >= KEPT:
            self._recorded.popitem(last=False)
        recorded.prepare()
        heads = [(memory, memory.head) for memory, _ in recorded._arrays]
        try:
            with stats.watch() as seen:
                captured = capture(mode.device(), one_by_one)
            problem = "layers copied values of blobs" if seen["uploads"] or seen["downloads"] else None
        except Exception as error:
            if isinstance(error, CaffeFcnError):
                raise
            problem = str(error)
        if problem is None and not recorded.has_its_memory():
            problem = "blobs got other memory"
        for memory, head in heads:  # nothing has been computed yet
            memory.head = head
        if problem is not None:
            logger.info("no CUDA graph for layers %d to %d: %s", start, end, problem)
            self._failures[key] += 1
            del self._uses[key]
            return None
        recorded.captured(*captured)
        self._recorded[key] = recorded
        stats.count("graph captures")
        return recorded


def capture(device: Any, work: Callable[[Any], list[Any]]) -> tuple[Any, list[Any], Any, Any]:
    """Record the kernels that `work` starts: (graph, what it returned, refused values, the pool of its arrays).

    Arrays that are made meanwhile come from a pool of their own, so that nobody else gets their memory. Raises what
    CuPy raises for work that would wait for the card.
    """
    cuda = device.cupy.cuda
    device.make_current()
    pool, stream = cuda.MemoryPool(), cuda.Stream(non_blocking=True)
    cuda.get_current_stream().synchronize()
    with cuda.using_allocator(pool.malloc), stream:
        stream.begin_capture()
        try:
            with ops.current().postponed() as refusals:
                result = work(refusals)
        except BaseException:
            with contextlib.suppress(Exception):  # a capture that was broken has nothing to give
                stream.end_capture()
            raise
        return stream.end_capture(), result, refusals, pool


def _blobs(wiring: Wiring, layers: Sequence[int]) -> list[Blob]:
    found = {id(blob): blob for i in layers for blob in (*wiring.bottoms[i], *wiring.tops[i], *wiring.layers[i].blobs)}
    return list(found.values())


def _memories(wiring: Wiring, layers: Sequence[int], backward: bool) -> tuple[list[Memory], list[Memory]]:
    """The memories that a pass through layers only reads, and those that it writes, of those that are in use."""
    halves = functools.partial(_halves, wiring, layers)
    if backward:
        written = [*halves(1, lambda i: wiring.bottoms[i]), *halves(1, lambda i: wiring.layers[i].blobs)]
        read = [*halves(0, lambda i: (*wiring.bottoms[i], *wiring.tops[i], *wiring.layers[i].blobs)),
                *halves(1, lambda i: wiring.tops[i])]
    else:
        written = halves(0, lambda i: wiring.tops[i] if wiring.bottoms[i] else ())
        read = [*halves(0, lambda i: (*wiring.bottoms[i], *wiring.layers[i].blobs)),
                *halves(1, lambda i: wiring.tops[i] if any(wiring.top_weights[i]) else ())]
    targets = {id(memory): memory for memory in written}
    sources = {id(memory): memory for memory in read if id(memory) not in targets}
    return list(sources.values()), list(targets.values())


def _halves(wiring: Wiring, layers: Sequence[int], half: int, choose: Callable[[int], Sequence[Blob]]) -> list[Memory]:
    """Memories of values (0) or gradients (1), without those that no layer has asked for."""
    memories = [blob.memories[half] for i in layers for blob in choose(i)]
    return [memory for memory in memories if memory.head is not Head.NONE]
