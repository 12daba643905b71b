"""One NVIDIA GPU as the memory of blobs sees it: arrays from CuPy's pool, copies through pinned memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from .. import mode, precision, stats
from ..memory import size_text

CHUNK = 1 << 22  # bytes of a pinned buffer


class CupyDevice:
    """GPU number `index`. Arrays are flat CuPy arrays; the work goes to CuPy's current stream."""

    def __init__(self, index: int) -> None:
        import cupy

        self.cupy = cupy
        self.index = index
        self._card = cupy.cuda.Device(index)
        self.make_current()
        precision.apply(cupy)

    def make_current(self) -> None:
        """Let this thread compute on this GPU; CUDA keeps that apart for each thread, and users may change it."""
        self._card.use()

    # memory

    def zeros(self, count: int, dtype: np.dtype) -> Any:
        """A new zeroed array (count,). MemoryError, with the bytes needed and free, if there is no room for it."""
        self.make_current()
        try:
            return self.cupy.zeros(count, dtype)
        except self.cupy.cuda.memory.OutOfMemoryError:
            pass  # CuPy has tried again without the blocks that it kept
        needed = count * np.dtype(dtype).itemsize
        raise MemoryError(f"{size_text(needed)} are needed, {size_text(self.free_bytes())} are free on {self}")

    def free_bytes(self) -> int:
        """Device memory that arrays of this process could still take."""
        self.make_current()
        return self.cupy.cuda.runtime.memGetInfo()[0] + self.cupy.get_default_memory_pool().free_bytes()

    def give_back(self) -> None:
        """Return what CuPy's pools keep for later to the system."""
        self.make_current()
        self.cupy.get_default_memory_pool().free_all_blocks()
        self.cupy.get_default_pinned_memory_pool().free_all_blocks()

    def upload(self, host: np.ndarray, device: Any) -> None:
        """Copy a flat host array into a device array; `host` may be changed as soon as this returns."""
        self.make_current()
        stats.count_copy("upload", host.nbytes)
        self._staging.upload(host, device)

    def download(self, device: Any, host: np.ndarray) -> None:
        """Copy a device array into a flat host array, after all work that was sent before.

        What this thread computes on stays as it was: the values may come from a GPU that was chosen before.
        """
        stats.count_copy("download", host.nbytes)
        with self.cupy.cuda.Device(self.index):
            self._staging.download(device, host)

    @cached_property
    def _staging(self) -> Staging:
        return Staging(self.cupy)

    # random numbers

    @cached_property
    def random(self) -> Any:
        """The state of this GPU's random numbers, an array of two uint64: the seed and how many were drawn from it.

        It never moves, so that graphs may use it.
        """
        self.make_current()
        return self.cupy.asarray(np.array([mode.seed(), 0], np.uint64))

    def seed_random(self, state: Iterable[int]) -> None:
        """Set `random`."""
        self.make_current()
        self.random[...] = self.cupy.asarray(np.array(list(state), np.uint64))

    # what it is

    @cached_property
    def properties(self) -> dict[str, Any]:
        """What the CUDA runtime tells of the card (cudaDeviceProp)."""
        return self.cupy.cuda.runtime.getDeviceProperties(self.index)

    @property
    def capability(self) -> tuple[int, int]:
        """The compute capability, such as (9, 0)."""
        return self.properties["major"], self.properties["minor"]

    def __str__(self) -> str:
        return f"GPU {self.index} ({self.properties['name'].decode()})"


class Staging:
    """Two pinned buffers by turns: while the card copies one, the processor copies the other.

    All copies go to the current stream, in order with the kernels that use the arrays. An upload only waits for its
    buffers, so that the processor runs ahead of the card.
    """

    def __init__(self, cupy: Any) -> None:
        self._cuda = cupy.cuda
        self._buffers = [np.frombuffer(cupy.cuda.alloc_pinned_memory(CHUNK), np.uint8, CHUNK) for _ in range(2)]
        self._events = [cupy.cuda.Event(disable_timing=True) for _ in range(2)]
        self._lock = threading.Lock()

    def upload(self, host: np.ndarray, device: Any) -> None:
        """See CupyDevice.upload."""
        source, runtime = host.view(np.uint8), self._cuda.runtime
        stream = self._cuda.get_current_stream()
        with self._lock:
            for i, start in enumerate(range(0, source.size, CHUNK)):
                part, buffer, event = source[start: start + CHUNK], self._buffers[i % 2], self._events[i % 2]
                event.synchronize()
                buffer[:part.size] = part
                runtime.memcpyAsync(device.data.ptr + start, buffer.ctypes.data, part.size,
                                    runtime.memcpyHostToDevice, stream.ptr)
                event.record(stream)

    def download(self, device: Any, host: np.ndarray) -> None:
        """See CupyDevice.download."""
        target = host.view(np.uint8)
        parts = [target[start: start + CHUNK] for start in range(0, target.size, CHUNK)]
        with self._lock:
            for i in range(len(parts) + 1):
                if i < len(parts):
                    self._fetch(device.data.ptr + i * CHUNK, parts[i].size, i % 2)
                if i:
                    self._events[(i - 1) % 2].synchronize()
                    parts[i - 1][...] = self._buffers[(i - 1) % 2][:parts[i - 1].size]

    def _fetch(self, pointer: int, size: int, which: int) -> None:
        runtime, stream = self._cuda.runtime, self._cuda.get_current_stream()
        self._events[which].synchronize()  # an upload of another stream may still read the buffer
        runtime.memcpyAsync(self._buffers[which].ctypes.data, pointer, size, runtime.memcpyDeviceToHost, stream.ptr)
        self._events[which].record(stream)
