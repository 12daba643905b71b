"""A stand-in for the part of CuPy that the package uses, on NumPy: finds host arrays where device arrays belong.

Its arrays are no NumPy arrays: mixing the two, or turning one into the other without saying so, raises TypeError as in
CuPy. What crosses between host and device is counted in `counts`. `make()` gives modules for sys.modules.
"""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import numpy as np

from . import cuda, functions, products, raw
from .array import asnumpy, counts, ndarray

__all__ = ["asnumpy", "counts", "make", "ndarray"]

CONSTANTS = ("newaxis", "inf", "nan", "pi", "float16", "float32", "float64", "int8", "int32", "int64", "uint8",
             "uint32", "uint64", "bool_", "dtype", "finfo", "iinfo", "result_type")


def make() -> dict[str, ModuleType]:
    """Fresh modules by name: `cupy`, `cupy.cuda`; the counts begin at 0."""
    counts.clear()
    cupy, on_card = ModuleType("cupy"), cuda.make()
    for name in CONSTANTS:
        setattr(cupy, name, getattr(np, name))
    for name, function in functions.table().items():
        setattr(cupy, name, function)
    cupy.ndarray, cupy.asnumpy, cupy.cuda, cupy.__version__ = ndarray, asnumpy, on_card, "14.0.0"  # type: ignore
    cupy.is_available = lambda: cuda.DEVICES > 0  # type: ignore
    cupy.get_default_memory_pool = lambda: cuda.pool  # type: ignore
    cupy.get_default_pinned_memory_pool = lambda: cuda.pinned_pool  # type: ignore
    cupy.RawModule = raw.RawModule  # type: ignore
    on_card.nvrtc, on_card.cublas = SimpleNamespace(getVersion=lambda: (12, 8)), SimpleNamespace()  # type: ignore
    core = ModuleType("cupy._core")
    core._routines_linalg = products.Products()  # type: ignore
    return {"cupy": cupy, "cupy.cuda": on_card, "cupy._core": core}
