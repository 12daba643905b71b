"""The functions of the stand-in: NumPy's, of those names that CuPy 14 has too."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .array import counts, ndarray, run, wrap

UFUNCS = str.split("""
add subtract multiply divide true_divide floor_divide power mod remainder fmod maximum minimum fmax fmin exp exp2
expm1 log log2 log10 log1p sqrt cbrt square tanh sin cos tan arctan sinh cosh absolute abs sign negative reciprocal
greater greater_equal less less_equal equal not_equal logical_and logical_or logical_not logical_xor bitwise_and
bitwise_or invert isnan isinf isfinite floor ceil rint trunc copysign hypot signbit
""")
PLAIN = str.split("""
clip where sum prod mean var std max min amax amin argmax argmin argsort sort any all cumsum cumprod count_nonzero
nonzero flatnonzero unique searchsorted reshape ravel transpose swapaxes moveaxis squeeze expand_dims broadcast_to
broadcast_arrays concatenate stack vstack hstack split pad tile repeat flip roll take take_along_axis put_along_axis
dot tensordot einsum outer inner vdot array_equal allclose isclose meshgrid triu tril diagonal round nan_to_num matmul
bincount copyto zeros_like ones_like empty_like full_like shares_memory may_share_memory
""")
MAKERS = str.split("""
zeros ones empty full arange linspace eye indices
""")
ADDED_AT = ("add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor")


class Ufunc:
    """An elementwise function; `where` and most methods are missing, as on the device."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self._ufunc, self.__name__ = ufunc, ufunc.__name__

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind") -> Any:
        inputs = args
        if len(args) > self._ufunc.nin:
            inputs, (out,) = args[:self._ufunc.nin], args[self._ufunc.nin:]
        if not any(isinstance(a, ndarray) for a in inputs):
            inputs = tuple(wrap(np.asarray(a)) if isinstance(a, np.generic) else a for a in inputs)
        if out is not None and not isinstance(out, ndarray):
            raise TypeError(f"return arrays must be of ArrayType, got {type(out)}")
        more = {} if out is None else {"out": out}
        result = run(self._ufunc, *inputs, **more, dtype=dtype, casting=casting)
        return out if out is not None else result

    def at(self, array: ndarray, index: Any, values: Any = None) -> None:
        """Unbuffered in place operation."""
        if self.__name__ not in ADDED_AT:
            raise NotImplementedError(f"{self.__name__}.at")
        run(self._ufunc.at, array, index, values)

    def reduce(self, array: ndarray, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        """Reduction, for the ones that the device has."""
        if self.__name__ not in ("add", "multiply"):
            raise NotImplementedError(f"{self.__name__}.reduce")
        return run(self._ufunc.reduce, array, axis=axis, dtype=dtype, keepdims=keepdims)


@functools.cache
def table() -> dict[str, Any]:
    """All functions by name."""
    found: dict[str, Any] = {name: Ufunc(getattr(np, name)) for name in UFUNCS}
    for name in (*PLAIN, *MAKERS):
        found[name] = functools.wraps(getattr(np, name))(functools.partial(run, getattr(np, name)))
    found |= {"asarray": _asarray, "array": _array, "ascontiguousarray": _contiguous, "from_dlpack": _from_dlpack}
    return found


def _asarray(a: Any, dtype: Any = None, order: Any = None, *, blocking: bool = False) -> ndarray:
    """As cupy.asarray: NumPy arrays, lists and scalars are copied to the device."""
    if isinstance(a, ndarray):
        return run(np.asarray, a, dtype=dtype, order=order)
    if not isinstance(a, np.generic) and not isinstance(a, (int, float)):
        counts["set"] += 1
    return wrap(np.array(a, dtype))


def _array(obj: Any, dtype: Any = None, copy: bool = True, order: str = "K", **_: Any) -> ndarray:
    """As cupy.array."""
    made = _asarray(obj, dtype)
    return made.copy() if copy and made is obj else made


def _contiguous(a: Any, dtype: Any = None) -> ndarray:
    return run(np.ascontiguousarray, _asarray(a), dtype)


def _from_dlpack(array: Any) -> ndarray:
    """Another library's array on the card, without a copy."""
    if array.__dlpack_device__()[0] != 2:
        raise ValueError("the array is not on a CUDA device")
    return ndarray(array.__dlpack__().host.view())
