"""Matrix products that add to their output without a temporary of its size."""

from __future__ import annotations

import numpy as np

from .. import threads

TEMPORARY = 8 << 20  # bytes


def add_product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Add the matrix product of a (M, K) and b (K, N) to out (M, N), some rows at a time."""
    rows, columns = out.shape
    step = max(1, min(rows, TEMPORARY // max(1, columns * out.itemsize)))
    for start in range(0, rows, step):
        target = out[start:start + step]
        part = threads.scratch("product", target.shape, out.dtype)
        np.matmul(a[start:start + step], b, out=part)
        target += part
