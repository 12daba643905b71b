"""How exactly a GPU multiplies the numbers of convolutions and matrix products. The CPU always takes float32.

| name | products of | largest error, of the largest output |
|---|---|---|
| `float32` (at first) | float32, 24 bits | about 1e-6, as on the CPU |
| `tf32` | the first 11 bits of float32, added up in float32 | about 1e-3 |
| `half` | convolutions' values as float16 (11 bits, up to 65504), added up in float32 | about 1e-3; beyond 65504: inf |

`half` is for inference: it concerns forward passes of convolutions; everything else is computed as with `tf32`.
"""

from __future__ import annotations

from typing import Any

from . import mode

NAMES = ("float32", "tf32", "half")

_name = "float32"


def set_matmul_precision(name: str) -> None:
    """Choose "float32", "tf32" or "half" for GPU mode, from the next pass on; process-wide. ValueError for others.

    Cards before Ampere (compute capability 8.0) have no TF32 and compute in float32 then.
    """
    global _name
    if name not in NAMES:
        raise ValueError(f"a precision is one of {', '.join(NAMES)}, got {name!r}")
    _name = name
    if mode.gpus_in_use():  # else the first one asks for it; without a driver CuPy could not be told
        import cupy

        apply(cupy)


def matmul_precision() -> str:
    """What set_matmul_precision chose."""
    return _name


def apply(cupy: Any) -> None:
    """Let CuPy's matrix products have the chosen precision, whatever CUPY_TF32 says."""
    from cupy._core import _routines_linalg as products

    products.set_compute_type("float32", products.COMPUTE_TYPE_DEFAULT if _name == "float32"
                              else products.COMPUTE_TYPE_TF32)
