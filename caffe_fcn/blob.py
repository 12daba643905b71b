"""Blob: an n-dimensional array of values (data) and of their gradients (diff)."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from . import mode
from .errors import BlobMemoryError, NotSupportedError, ShapeError
from .memory import Device, Memory

MAX_AXES = 32


class Blob:
    """Values and gradients of one shape, allocated when first touched.

    ``data`` and ``diff`` are NumPy views for users; ``array`` and ``grad`` are the same values where the
    current mode computes (NumPy on the CPU, CuPy on a GPU) and are what layers use. All four may be written.

    >>> blob = Blob((2, 3))
    >>> blob.data[...] = 1
    >>> blob.reshape(1, 3); blob.data.sum()
    3.0
    """

    __slots__ = ("__weakref__", "_data", "_diff", "_shape", "count")

    def __init__(self, shape: Iterable[int] = (), dtype: npt.DTypeLike = np.float32) -> None:
        self._shape: tuple[int, ...] = ()
        self.count = 0  # elements
        kind = np.dtype(dtype)
        self._data = Memory(0, kind)
        self._diff = Memory(0, kind)
        self.reshape(*shape)

    # shape

    def reshape(self, *shape: int) -> None:
        """Change the shape; memory is kept if it suffices, else dropped and allocated at the next access.

        A blob that outgrows memory which it shares gets its own; the others keep theirs, with its values.
        Raises ShapeError for a negative axis, TypeError for one that is no whole number.
        """
        if shape == self._shape and self.count:
            return
        try:
            new = tuple(operator.index(size) for size in shape)
        except TypeError:
            raise TypeError(f"the sizes of a blob's axes are whole numbers, one argument each; got {shape!r}") from None
        if any(size < 0 for size in new):
            raise ShapeError(f"a blob cannot have a negative axis, got the shape {new}")
        if len(new) > MAX_AXES:
            raise ShapeError(f"a blob has at most {MAX_AXES} axes, got {len(new)}")
        self._shape = new
        self.count = math.prod(new)
        self._data = self._data.for_count(self.count)
        self._diff = self._diff.for_count(self.count)

    def reshape_like(self, other: Blob) -> None:
        """Take the shape of another blob."""
        self.reshape(*other._shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements."""
        return self._data.dtype

    def axis(self, index: int) -> int:
        """The axis that `index` means (negative ones count from the end); ShapeError if there is none."""
        if not -len(self._shape) <= index < len(self._shape):
            raise ShapeError(f"axis {index} is out of range for a blob of shape {self._shape}")
        return index % len(self._shape)

    def _legacy(self, index: int) -> int:
        if len(self._shape) > 4:
            raise ShapeError(f"num, channels, height and width need at most 4 axes, this blob has {self._shape}")
        return self._shape[index] if index < len(self._shape) else 1

    @property
    def num(self) -> int:
        """Axis 0, or 1 (for blobs of at most 4 axes)."""
        return self._legacy(0)

    @property
    def channels(self) -> int:
        """Axis 1, or 1."""
        return self._legacy(1)

    @property
    def height(self) -> int:
        """Axis 2, or 1."""
        return self._legacy(2)

    @property
    def width(self) -> int:
        """Axis 3, or 1."""
        return self._legacy(3)

    # values

    def _host(self, memory: Memory) -> np.ndarray:
        return self._on(None, memory)

    def _current(self, memory: Memory) -> Any:
        return self._on(mode.device(), memory)

    def _on(self, device: Device | None, memory: Memory) -> Any:
        try:
            flat = memory.host() if device is None else memory.on(device)
        except MemoryError as error:
            raise BlobMemoryError(f"no memory for a blob of shape {self._shape}: {error or 'allocation failed'}; "
                                  "use a smaller shape") from None
        return flat[: self.count].reshape(self._shape)

    @property
    def data(self) -> np.ndarray:
        """The values as a writable NumPy view."""
        return self._host(self._data)

    @property
    def diff(self) -> np.ndarray:
        """The gradients as a writable NumPy view."""
        return self._host(self._diff)

    @property
    def array(self) -> Any:
        """The values where the current mode computes."""
        return self._current(self._data)

    @property
    def grad(self) -> Any:
        """The gradients where the current mode computes."""
        return self._current(self._diff)

    # for other libraries on the GPU

    @property
    def data_gpu(self) -> Any:
        """The values as a writable CuPy array, which is the blob's own memory. Until `data` is asked for, nothing is
        copied to the host. NotSupportedError in CPU mode.

        DLPack and `__cuda_array_interface__` go both ways: ``torch.from_dlpack(blob.data_gpu)``,
        ``blob.data_gpu[...] = cupy.from_dlpack(tensor)``.
        """
        self._require_gpu("data_gpu")
        return self.array

    @property
    def diff_gpu(self) -> Any:
        """The gradients as a writable CuPy array; see `data_gpu`."""
        self._require_gpu("diff_gpu")
        return self.grad

    def _require_gpu(self, name: str) -> None:
        if mode.device() is None:
            raise NotSupportedError(f"'{name}' is an array on a GPU, but the CPU computes: call set_mode_gpu() first, "
                                    f"or use '{name[:4]}'")

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if mode.device() is None:  # a library that asks with hasattr is told that there is none
            raise AttributeError("a blob has __cuda_array_interface__ in GPU mode only")
        return self.array.__cuda_array_interface__

    # sharing and memory

    def share_data(self, other: Blob) -> None:
        """Use the memory of another blob's values (counts must agree; shapes may differ)."""
        self._check_count(other)
        self._data = other._data
        self._data.shared = True

    def share_diff(self, other: Blob) -> None:
        """Use the memory of another blob's gradients (counts must agree; shapes may differ)."""
        self._check_count(other)
        self._diff = other._diff
        self._diff.shared = True

    def _check_count(self, other: Blob) -> None:
        if self.count != other.count:
            raise ShapeError(f"cannot share memory between shapes {self._shape} and {other._shape}: "
                             f"{self.count} and {other.count} elements")

    @property
    def memories(self) -> tuple[Memory, Memory]:
        """The memories of data and diff (shared ones are the same object)."""
        return self._data, self._diff

    def release(self) -> None:
        """Give the memory of data and diff back; the next access sees zeros."""
        self._data.release()
        self._diff.release()

    def __repr__(self) -> str:
        return f"Blob(shape={self._shape}, dtype={self.dtype})"


class BlobVec(list):
    """A layer's parameters, with the method that Python layers use to add one."""

    def add_blob(self, *shape: int) -> None:
        """Append a new blob of zeros."""
        self.append(Blob(shape))

    def __setitem__(self, index: Any, value: Any) -> None:
        """Put another Blob in a place. TypeError for values: they go into a blob's `data`."""
        for blob in value if isinstance(index, slice) else [value]:
            if not isinstance(blob, Blob):
                raise TypeError(f"a layer's parameters are Blobs, got {type(blob).__name__}; to set the values write "
                                f"net.params[layer][{index!r}].data[...] = values")
        super().__setitem__(index, value)
