"""Fakes of cupy.cuda: devices, streams, events, graphs, memory."""

from __future__ import annotations

import contextlib
import weakref
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from .array import Room, Tape, counts

DEVICES = 1  # how many cards there seem to be
TOTAL = 1 << 34  # bytes of a card's memory


class CUDARuntimeError(RuntimeError):
    """As of cupy.cuda.runtime."""

    status = 100


class OutOfMemoryError(MemoryError):
    """As of cupy.cuda.memory."""


class Device:
    """A card; `use` and `with` are accepted."""

    compute_capability = "90"
    mem_info = property(lambda self: runtime.memGetInfo())

    def __init__(self, device: Any = None) -> None:
        self.id = int(getattr(device, "id", device) or 0)
        if self.id >= DEVICES:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    def use(self) -> None:
        """Make it the current one."""

    def synchronize(self) -> None:
        """All is done already."""

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and self.id == other.id

    def __hash__(self) -> int:
        return self.id


class Event:
    """Happens at once."""

    done = True

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        pass

    def record(self, stream: Any = None) -> None:
        """Nothing to wait for."""

    def synchronize(self) -> None:
        """Counted: the host would wait here."""
        counts["wait"] += 1


class Graph:
    """Calls to run again, into the same memory."""

    def __init__(self, tape: list[Any]) -> None:
        self._tape = tape

    def launch(self, stream: Any = None) -> None:
        """Run the recorded calls."""
        counts["graph"] += 1
        for function, args, kwargs, result in self._tape:
            with np.errstate(all="ignore"):
                _put(result, function(*args, **kwargs))

    def upload(self, stream: Any = None) -> None:
        """Nothing to do."""


def _put(kept: Any, new: Any) -> None:
    if isinstance(kept, (tuple, list)):
        for one, other in zip(kept, new, strict=True):
            _put(one, other)
    elif isinstance(kept, np.ndarray) and not np.may_share_memory(kept, new):
        kept[...] = new


class Stream:
    """Runs everything at once."""

    null: Any = None

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.ptr = 0

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def use(self) -> Stream:
        """Make it the current one."""
        return self

    def synchronize(self) -> None:
        """Counted: the host would wait here."""
        counts["wait"] += 1

    def record(self, event: Event | None = None) -> Event:
        """An event that has happened."""
        return event or Event()

    def wait_event(self, event: Event) -> None:
        """It has happened."""

    def begin_capture(self, mode: Any = None) -> None:
        """Record what follows, and run it, which the end takes back."""
        Tape.current, Tape.before = [], []

    def end_capture(self) -> Graph:
        """The recorded calls; arrays are as they were before these."""
        tape, Tape.current = Tape.current, None
        for array, values in reversed(Tape.before):
            array[...] = values
        Tape.before = []
        return Graph(tape or [])

    def is_capturing(self) -> bool:
        """Between begin_capture and end_capture?"""
        return Tape.current is not None


Stream.null = Stream()


class Pool:
    """The memory pool: follows the arrays that are alive."""

    def __init__(self) -> None:
        self._alive: dict[int, int] = {}
        self.emptied = 0

    def follow(self, array: np.ndarray) -> None:
        """Count an array's bytes until it is gone."""
        key = id(array)
        if key not in self._alive:
            self._alive[key] = array.nbytes
            weakref.finalize(array, self._alive.pop, key, None)

    def used_bytes(self) -> int:
        """Bytes of the arrays alive."""
        return sum(self._alive.values())

    def total_bytes(self) -> int:
        """The same: nothing is kept for later."""
        return self.used_bytes()

    def free_bytes(self) -> int:
        """Nothing is kept for later."""
        return 0

    def free_all_blocks(self, stream: Any = None) -> None:
        """Counted."""
        self.emptied += 1

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """Let this many bytes be allocated at a time; 0: any number."""
        Room.limit = size or None


pool, pinned_pool = Pool(), Pool()


class _Runtime:
    """A part of cupy.cuda.runtime."""

    CUDARuntimeError = CUDARuntimeError

    def getDeviceCount(self) -> int:
        return DEVICES

    def getDeviceProperties(self, index: int) -> dict[str, Any]:
        return {"name": b"Stand-in", "totalGlobalMem": TOTAL, "major": 9, "minor": 0, "multiProcessorCount": 1,
                "clockRate": 1000000, "memoryClockRate": 1000000, "memoryBusWidth": 64, "warpSize": 32,
                "sharedMemPerBlock": 49152, "maxThreadsPerBlock": 1024}

    def memGetInfo(self) -> tuple[int, int]:
        total = TOTAL if Room.limit is None else Room.limit
        return total - pool.used_bytes(), total

    def runtimeGetVersion(self) -> int:
        return 12080

    def driverGetVersion(self) -> int:
        return 12080

    def deviceSynchronize(self) -> None:
        counts["wait"] += 1

    def getDevice(self) -> int:
        return 0

    def memcpyAsync(self, dst: int, src: int, size: int, kind: int, stream: int) -> None:
        import ctypes

        counts["set" if kind == self.memcpyHostToDevice else "get"] += 1
        ctypes.memmove(dst, src, size)

    memcpyHostToDevice, memcpyDeviceToHost = 1, 2


runtime = _Runtime()


class PinnedMemory(np.ndarray):
    """A buffer of bytes."""

    ptr = property(lambda self: self.ctypes.data)


def alloc_pinned_memory(size: int) -> PinnedMemory:
    """As cupy.cuda.alloc_pinned_memory."""
    return np.empty(max(size, 1), np.uint8).view(PinnedMemory)


def make() -> ModuleType:
    """The module cupy.cuda."""
    module = ModuleType("cupy.cuda")
    for part in (Device, Event, Graph, Stream):
        setattr(module, part.__name__, part)
    module.runtime, module.memory = runtime, ModuleType("cupy.cuda.memory")  # type: ignore
    module.memory.OutOfMemoryError = OutOfMemoryError  # type: ignore
    module.MemoryPool = lambda: SimpleNamespace(malloc=None)  # type: ignore
    module.using_allocator = lambda allocator: contextlib.nullcontext()  # type: ignore
    module.alloc_pinned_memory = alloc_pinned_memory  # type: ignore
    module.get_current_stream = lambda device_id=None: Stream.null  # type: ignore
    module.get_elapsed_time = lambda start, end: 1.0  # type: ignore
    module.is_available = lambda: DEVICES > 0  # type: ignore
    return module
