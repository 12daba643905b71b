"""Products of matrices: float32 in tiles of our own, which run as fast as the processor whatever BLAS there is.

A BLAS may have been built for an older processor, and threads have to share the number of its threads.
"""

from __future__ import annotations

import numpy as np

from . import threads

COLUMNS = 1024  # of a product at a time, so that what is read of the right operand stays in the cache
TEMPORARY = 8 << 20  # bytes of a product of BLAS that is added
PIECE = 2 << 20  # bytes of the right operand of a product that one thread reads at a time
LEAST = 8  # rows, columns and length of a product; smaller ones are left to BLAS


def _flat(matrix: np.ndarray) -> np.ndarray:
    """The memory from the first value to the last one, as one axis."""
    extent = 1 + sum((size - 1) * step for size, step in zip(matrix.shape, matrix.strides, strict=True)) // 4
    return np.lib.stride_tricks.as_strided(matrix, (extent,), (4,))


def _fits(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> bool:
    if a.dtype != np.float32 or b.dtype != np.float32 or min(*a.shape, b.shape[1]) < LEAST:
        return False
    return 4 in a.strides and 4 in b.strides and out.strides[1] == 4 and min(*a.strides, *b.strides, *out.strides) > 0


def _blas(a: np.ndarray, b: np.ndarray, out: np.ndarray, add: bool) -> None:
    """The product by NumPy; what is added is made some rows at a time."""
    if not add:
        np.matmul(a, b, out=out)
        return
    rows, columns = out.shape
    step = max(1, min(rows, TEMPORARY // max(1, columns * out.itemsize)))
    for start in range(0, rows, step):
        target = out[start:start + step]
        part = threads.scratch("product", target.shape, out.dtype)
        np.matmul(a[start:start + step], b, out=part)
        target += part


def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray, add: bool = False) -> None:
    """Write the product of a (M, K) and b (K, N) to out (M, N), or with `add` add it; in this thread."""
    if not _fits(a, b, out):
        _blas(a, b, out, add)
        return
    from .product_kernels import DEPTH
    from .product_kernels import multiply as kernel
    from .tile_product import LEFT, RIGHT, ROWS

    left = threads.scratch("left", (DEPTH * LEFT,), np.float32)
    corner = threads.scratch("corner", (ROWS * RIGHT,), np.float32)
    right = threads.scratch("right", (DEPTH * (min(COLUMNS, out.shape[1]) + RIGHT),), np.float32)
    steps = [tuple(step // 4 for step in matrix.strides) for matrix in (a, b, out)]
    source = _flat(a)
    for column in range(0, out.shape[1], COLUMNS):
        some, target = b[:, column:column + COLUMNS], out[:, column:column + COLUMNS]
        kernel(len(a), target.shape[1], len(b), source, steps[0], _flat(some), steps[1], _flat(target), steps[2][0],
               add, left, right, corner)


def write(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """Write the product of a (M, K) and b (K, N) to out, by NumPy; for few rows, pieces of columns among threads.

    What the pieces are does not depend on the number of threads, nor then does the result.
    """
    columns = out.shape[1]
    pieces = min(columns, b.nbytes // PIECE)
    if len(a) >= LEAST or pieces < 2:
        np.matmul(a, b, out=out)
        return
    edges = [columns * n // pieces for n in range(pieces + 1)]

    def piece(number: int) -> None:
        part = slice(edges[number], edges[number + 1])
        np.matmul(a, b[:, part], out=out[:, part])

    with threads.one_blas_thread():  # if no others take part, too
        threads.each(piece, pieces)


def share(a: np.ndarray, b: np.ndarray, out: np.ndarray, add: bool = False) -> None:
    """As `multiply`, rows or columns of the product shared among threads."""
    rows, columns = out.shape
    if not _fits(a, b, out) or rows * columns * len(b) < 1_000_000:
        multiply(a, b, out, add)
        return
    if rows >= columns:
        threads.parallel(lambda low, high: multiply(a[low:high], b, out[low:high], add), rows)
    else:
        threads.parallel(lambda low, high: multiply(a, b[:, low:high], out[:, low:high], add), columns)
