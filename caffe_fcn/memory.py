"""Synced memory: one flat array that lives on the host, on a device, or on both.

Four head states say where the newest values are: nowhere yet, on the host, on the device, or the same on
both. Memory is allocated (and zeroed) by the first access; copies happen only when the other side asks.
"""

from __future__ import annotations

import contextlib
import enum
import mmap
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .errors import BlobMemoryError, RecycledError

OF_ITS_OWN = 1 << 20  # bytes of an array at least that gets pages of its own
LARGE = 1 << 26  # bytes; smaller allocations are not worth asking the system about


class Device(Protocol):
    """What a GPU (or a stand-in for tests) offers to the memory; arrays are flat and opaque."""

    def make_current(self) -> None:
        """Let this thread compute on this device."""

    def zeros(self, count: int, dtype: np.dtype) -> Any:
        """A new zeroed device array of `count` elements."""

    def upload(self, host: np.ndarray, device: Any) -> None:
        """Copy a flat host array into a device array."""

    def download(self, device: Any, host: np.ndarray) -> None:
        """Copy a device array into a flat host array."""

    def free_bytes(self) -> int:
        """Memory that arrays could still take."""

    def give_back(self) -> None:
        """Return what is kept for later arrays to the system."""

    @property
    def random(self) -> Any:
        """Two uint64 on the device: the arguments of seed_random, as they are now."""

    def seed_random(self, state: Iterable[int]) -> None:
        """Begin anew with a seed, after a number of draws from it: both below 2**64."""


class Head(enum.Enum):
    """Where the newest values of a memory are."""

    NONE = "none"
    HOST = "host"
    DEVICE = "device"
    SYNCED = "synced"


def available_bytes() -> int | None:
    """Main memory that this process could still take, or None where the system does not tell."""
    free = None
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            table = dict(line.split(":", 1) for line in file)
        free = sum(int(table[key].split()[0]) * 1024 for key in ("MemAvailable", "SwapFree"))
    except (OSError, KeyError, ValueError):
        try:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, AttributeError):
            return None
    allowed = _container_bytes("/sys/fs/cgroup")
    return free if allowed is None else min(free, allowed)


def size_text(size: float) -> str:
    """A number of bytes for a message."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 / 10 else f"{size / 2**20:.1f} MiB"


def require_memory(needed: float, what: str) -> None:
    """Raise BlobMemoryError if so many bytes are not free."""
    free = available_bytes()
    if free is not None and needed > free:
        raise BlobMemoryError(f"{what} need {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free")


def _container_bytes(folder: str) -> int | None:
    """What the limit of a container still allows, or None without a limit.

    The files that it has read count as used, but the system drops them from memory when it needs room.
    """
    try:
        limit, used = (int(Path(folder, name).read_text("ascii")) for name in ("memory.max", "memory.current"))
        stat = dict(line.split() for line in Path(folder, "memory.stat").read_text("ascii").splitlines())
        return max(0, limit - used + int(stat["inactive_file"]) + int(stat["active_file"]))
    except (OSError, KeyError, ValueError):
        return None  # the word "max", or no such files


def check_room(size: int, what: str) -> None:
    """Raise BlobMemoryError, which says that `what` needs this many bytes, when there are less."""
    free = available_bytes() if size > LARGE else None
    if free is not None and size > free:
        raise BlobMemoryError(f"{what} needs {size / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free")


def zeros(count: int, dtype: npt.DTypeLike) -> np.ndarray:
    """A flat array of zeros. A large one comes straight from the system and goes back to it, not to the heap."""
    kind = np.dtype(dtype)
    size = count * kind.itemsize
    if size < OF_ITS_OWN or not hasattr(mmap, "MAP_PRIVATE"):
        return np.zeros(count, kind)
    pages = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, kind, count)


@contextlib.contextmanager
def unwritten(memories: Iterable[Memory]) -> Iterator[None]:
    """A `with` block that only reads these memories, on a device: values that the host has remain valid there."""
    valid = [memory for memory in memories if memory.head in (Head.HOST, Head.SYNCED)]
    yield
    for memory in valid:
        if memory.head is Head.DEVICE:
            memory.head = Head.SYNCED


class Memory:
    """A flat array of `count` elements of `dtype`, allocated lazily, synced lazily.

    `head` tells the state. Asking for more elements than there are drops the values; asking for fewer
    keeps the memory, so that a net that shrinks and grows again does not allocate twice.
    """

    __slots__ = ("_device_array", "_host_array", "count", "device", "dtype", "head", "recycled", "shared")

    def __init__(self, count: int, dtype: np.dtype) -> None:
        self.count = count
        self.dtype = dtype
        self.head = Head.NONE
        self.shared = False  # do several blobs use it?
        self.recycled = False  # were its values given back, so that nobody may read them?
        self.device: Device | None = None
        self._host_array: np.ndarray | None = None
        self._device_array: Any = None

    def require(self, count: int) -> bool:
        """Make room for `count` elements; True if the old values (and arrays) were dropped for it."""
        if count <= self.count:
            if self.head is Head.NONE and not self.shared:
                self.count = count  # nothing to keep
            return False
        self.release()
        self.count = count
        return True

    def for_count(self, count: int) -> Memory:
        """This memory after `require(count)`, or a new one if others share this one and it is too small."""
        if self.shared and count > self.count:
            return Memory(count, self.dtype)
        self.require(count)
        return self

    def release(self) -> None:
        """Forget the values and give the memory back (arrays that a user holds stay alive)."""
        self.head = Head.NONE
        self._host_array = self._device_array = None

    def recycle(self) -> None:
        """`release`, after which every access is an error until `recycled` is set to False."""
        self.release()
        self.recycled = True

    @property
    def nbytes(self) -> int:
        """Bytes on each side once allocated."""
        return self.count * self.dtype.itemsize

    def host(self) -> np.ndarray:
        """The flat host array, up to date and free to be written."""
        if self.head is Head.HOST:
            return self._host_array  # type: ignore[return-value]
        self._check_recycled()
        if self._host_array is None:
            self._host_array = self._zeros()
        if self.head is Head.DEVICE:
            self.device.download(self._device_array, self._host_array)  # type: ignore[union-attr]
        self.head = Head.HOST
        return self._host_array

    def on(self, device: Device) -> Any:
        """The flat array on `device`, up to date and free to be written."""
        self._check_recycled()
        if self.device is not device:
            if self.head in (Head.DEVICE, Head.SYNCED):
                self.host()
            self.device, self._device_array = device, None
        device.make_current()
        if self._device_array is None:
            self._device_array = device.zeros(self.count, self.dtype)
        if self.head is Head.HOST:
            device.upload(self._host_array, self._device_array)  # type: ignore[arg-type]
        self.head = Head.DEVICE
        return self._device_array

    def peek(self) -> np.ndarray:
        """The flat host array for reading only: the device's values stay valid."""
        if self.head is Head.DEVICE:
            self.host()
            self.head = Head.SYNCED
        return self._host_array if self.head is Head.SYNCED else self.host()  # type: ignore[return-value]

    def is_held(self) -> bool:
        """Has somebody else a view of the host array, so that it should follow what a GPU computes?"""
        return self._host_array is not None and sys.getrefcount(self._host_array) > _UNHELD

    def overwritten(self, device: Device) -> None:
        """Declare that all values are written on `device` next: those of the host need not be copied there."""
        if self.device is device and self._device_array is not None and not self.recycled:
            self.head = Head.DEVICE

    def is_missing(self, device: Device | None) -> bool:
        """Would access on `device` (None: on the host) allocate?"""
        if device is None:
            return self.head is Head.NONE
        return self.device is not device or self._device_array is None

    def _check_recycled(self) -> None:
        if self.recycled:
            raise RecycledError('the net was built with keep="outputs" and has given the values of this blob back; '
                                "ask for them with forward(blobs=[...])")

    def _zeros(self) -> np.ndarray:
        if self.nbytes > LARGE:
            free = available_bytes()
            if free is not None and self.nbytes > free:
                raise MemoryError(f"{self.nbytes / 2**30:.1f} GiB are needed, {free / 2**30:.1f} GiB are free")
        return zeros(self.count, self.dtype)


def _references() -> int:
    """What sys.getrefcount says of a host array that a Memory alone has: it differs between versions of Python."""
    memory = Memory(1, np.dtype(np.float32))
    memory.host()
    return sys.getrefcount(memory._host_array)


_UNHELD = _references()
