"""A stand-in for the part of CuPy that chooses how matrix products multiply; it only remembers."""

from __future__ import annotations

from typing import Any


class Products:
    """As cupy._core._routines_linalg."""

    COMPUTE_TYPE_DEFAULT, COMPUTE_TYPE_TF32 = 1, 7

    def __init__(self) -> None:
        self.chosen: dict[str, int] = {}

    def set_compute_type(self, dtype: Any, compute_type: int) -> None:
        """For products of this type from now on."""
        self.chosen[str(dtype)] = compute_type
