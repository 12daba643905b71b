"""The stand-in's array, and the rule by which every function runs on it."""

from __future__ import annotations

import operator
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np

counts: Counter[str] = Counter()  # "get": copies to the host, "set": copies from it
REFUSED = "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array"
SCALARS = (bool, int, float, complex, np.generic)


class Tape:
    """What a capture of a graph has recorded: calls and their results, to run again."""

    current: list[tuple[Any, tuple, dict, Any]] | None = None
    before: list[tuple[np.ndarray, np.ndarray]] = []  # arrays with their values before each call, to undo it

    @classmethod
    def keep(cls, value: Any) -> None:
        """Remember the values of the arrays among arguments, which a call may change."""
        if isinstance(value, np.ndarray):
            cls.before.append((value, value.copy()))
        elif isinstance(value, (tuple, list)):
            for part in value:
                cls.keep(part)


class Room:
    """Bytes of arrays that may be made at a time, to play a full card; None: as many as the host has."""

    limit: int | None = None

    @classmethod
    def check(cls, size: int) -> None:
        from .cuda import OutOfMemoryError, pool

        if cls.limit is not None and pool.used_bytes() + size > cls.limit:
            raise OutOfMemoryError(f"Out of memory allocating {size} bytes (allocated so far: {pool.used_bytes()})")


class ndarray:
    """A device array; `host` is where its values really are, for the stand-in's own use."""

    __array_priority__ = 100

    def __init__(self, host: np.ndarray) -> None:
        self._host = host

    # what leaves the device

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(REFUSED)

    def get(self, stream: Any = None, order: str = "C", out: np.ndarray | None = None, blocking: bool = True) -> Any:
        _synchronize("get")
        if out is None:
            return self._host.copy(order)
        out[...] = self._host
        return out

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray) or arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError("set takes a NumPy array of the same shape and type")
        counts["set"] += 1
        self._host[...] = arr

    def item(self, *args: int) -> Any:
        _synchronize("item")
        return self._host.item(*args)

    def tolist(self) -> Any:
        _synchronize("item")
        return self._host.tolist()

    def __bool__(self) -> bool:
        _synchronize("item")
        return bool(self._host)

    def __float__(self) -> float:
        _synchronize("item")
        return float(self._host)

    def __int__(self) -> int:
        _synchronize("item")
        return int(self._host)

    def __format__(self, spec: str) -> str:
        _synchronize("item")
        return format(self._host.item() if self._host.ndim == 0 else self._host, spec)

    # NumPy's functions go to those of the device

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and "where" not in kwargs:
            return run(ufunc, *inputs, **{k: v[0] if k == "out" else v for k, v in kwargs.items()})
        if method == "at":
            return run(ufunc.at, *inputs)
        raise TypeError(f"the device has no {ufunc.__name__}.{method} with {sorted(kwargs)}")

    def __array_function__(self, func: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        from .functions import table

        if func.__name__ not in table():
            raise TypeError(f"the device has no function {func.__name__}")
        return run(func, *args, **kwargs)

    # parts

    def __getitem__(self, key: Any) -> Any:
        return run(operator.getitem, self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        run(operator.setitem, self, key, value)

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self._host.ctypes.data, mem=None, device=self.device)

    @property
    def device(self) -> Any:
        from .cuda import Device

        return Device(0)

    @property
    def flags(self) -> Any:
        return self._host.flags

    @property
    def base(self) -> Any:
        return None if self._host.base is None else ndarray(self._host.base)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "data": (self._host.ctypes.data, False), "version": 3,
                "strides": None if self.flags.c_contiguous else self._host.strides, "descr": self.dtype.descr,
                "stream": 1}

    def __dlpack__(self, **_: Any) -> Any:
        return SimpleNamespace(host=self._host)  # a capsule that only the stand-in opens

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0  # CUDA, card 0

    def __repr__(self) -> str:
        return f"standin.{self._host!r}"


def asnumpy(array: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> Any:
    """As cupy.asnumpy."""
    return array.get(out=out) if isinstance(array, ndarray) else np.asarray(array, order=order)  # type: ignore


def _synchronize(what: str) -> None:
    if Tape.current is not None:
        from .cuda import CUDARuntimeError

        raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing")
    counts[what] += 1


def unwrap(value: Any) -> Any:
    """The host values of an argument; TypeError if it is a NumPy array."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if type(value) in (tuple, list):
        return type(value)(unwrap(part) for part in value)
    return value


def wrap(value: Any) -> Any:
    """The device arrays of a result: scalars, too, stay on the device."""
    if isinstance(value, (np.ndarray, np.generic)):
        return ndarray(np.asarray(value))
    if type(value) in (tuple, list):
        return type(value)(wrap(part) for part in value)
    return value


def run(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a NumPy function on device arrays. Infinities and NaN come without warnings."""
    hosts, more = unwrap(args), {key: unwrap(value) for key, value in kwargs.items()}
    if Tape.current is not None:
        Tape.keep([*hosts, *more.values()])
    with np.errstate(all="ignore"):
        result = function(*hosts, **more)
    if isinstance(result, np.ndarray) and result.base is None:
        Room.check(result.nbytes)
        from .cuda import pool

        if all(result is not host for host in (*hosts, *more.values())):
            pool.follow(result)
    wrapped = wrap(result)
    if Tape.current is not None:
        Tape.current.append((function, hosts, more, unwrap(wrapped)))
    return next((a for a in kwargs.values() if isinstance(a, ndarray) and a._host is result), wrapped)


def _method(name: str) -> Any:
    return lambda self, *args, **kwargs: run(getattr(np.ndarray, name), self, *args, **kwargs)


def _operator(name: str) -> Any:
    def apply(self: ndarray, *args: Any) -> Any:
        if any(not isinstance(arg, (ndarray, *SCALARS)) for arg in args):
            raise TypeError(f"Unsupported type {type(args[0])}")
        result = run(getattr(np.ndarray, name), self, *args)
        return self if name.startswith("__i") and name != "__invert__" else result

    return apply


METHODS = str.split("""
all any argmax argmin argsort astype choose clip copy cumprod cumsum diagonal dot fill flatten max mean min nonzero
prod ptp put ravel repeat reshape round sort squeeze std sum swapaxes take trace transpose var view
""")
ATTRIBUTES = str.split("""
T dtype itemsize nbytes ndim real shape size strides
""")
BINARY = str.split("""
add sub mul truediv floordiv mod pow matmul and or xor lshift rshift
""")
for _name in METHODS:
    if hasattr(np.ndarray, _name):
        setattr(ndarray, _name, _method(_name))
for _name in ATTRIBUTES:
    setattr(ndarray, _name, property(lambda self, name=_name: wrap(getattr(self._host, name))))
for _name in [p + n for n in BINARY for p in ("", "r", "i")] + str.split("lt le gt ge eq ne neg pos abs invert"):
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
del ndarray.__imatmul__  # type: ignore
ndarray.__hash__ = None  # type: ignore
