"""Which predicted edge pixels are which true ones: the assignment in the benchmark of BSDS.

Martin, Fowlkes and Malik, "Learning to detect natural image boundaries using local brightness, color, and texture
cues", 2004: each pixel is matched with at most one of the other map, not farther away than a tolerance; of all ways to
match as many pixels as possible, one with the least sum of distances is taken.
"""

from __future__ import annotations

import numpy as np

from ..memory import check_room

BYTES = 32  # for each pixel and each place where its partner may be


def match(predicted: np.ndarray, truth: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Match the pixels of two edge maps (height, width), bool, at most `tolerance` pixels apart.

    Returns which pixels of each have a partner, (height, width) bool. Raises ValueError for other shapes,
    BlobMemoryError for a tolerance so large that there is no room for the pairs.
    """
    if predicted.shape != truth.shape or predicted.ndim != 2:
        raise ValueError(f"edge maps need one shape (height, width), got {predicted.shape} and {truth.shape}")
    places = np.argwhere(predicted), np.argwhere(truth)
    rows, columns, distances = _near(*places, truth.shape, tolerance)
    pairs = _assign(rows, columns, distances, len(places[0]), len(places[1]))
    found = np.zeros_like(predicted, bool), np.zeros_like(truth, bool)
    for partners, where, chosen in zip(found, places, pairs, strict=True):
        partners[tuple(where[chosen].T)] = True
    return found


def _near(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...], tolerance: float
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs that may be matched: index in `first` (N, 2), index in `second` (M, 2), distance; by the first."""
    reach = int(min(tolerance, max(shape)))
    check_room(BYTES * len(first) * (2 * reach + 1)**2, f"matching {len(first)} pixels up to {reach} pixels apart")
    number = np.full([size + 2 * reach for size in shape], -1)
    number[tuple(second.T + reach)] = np.arange(len(second))
    down, right = np.mgrid[-reach:reach + 1, -reach:reach + 1]
    within = np.hypot(down, right) <= tolerance
    down, right = down[within], right[within]
    neighbours = number[first[:, :1] + reach + down, first[:, 1:] + reach + right]  # (N, offsets)
    rows, offsets = np.nonzero(neighbours >= 0)
    return rows, neighbours[rows, offsets], np.hypot(down, right)[offsets]


def _assign(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """A matching of as many of n rows and m columns as possible, and of these one of the least cost: its pairs.

    SciPy's cheapest assignment must leave nobody out on one side. Dulmage and Mendelsohn, "Coverings of bipartite
    graphs", 1958: some largest matching tells where that is so. Rows that are reached from one without a partner, along
    any edge to a column and back along its match, compete for their columns, which are all taken in every largest
    matching; all other rows have a partner in every one, among the other columns.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_order

    if not rows.size:
        return rows, columns
    partner = _partners(rows, columns, n, m)
    alone, paired = np.flatnonzero(partner < 0), np.flatnonzero(partner >= 0)
    start = n + m  # a node before all rows without partner; columns are the nodes from n on
    tails = np.concatenate([np.full(len(alone), start), rows, n + partner[paired]])
    heads = np.concatenate([alone, n + columns, paired])
    paths = csr_matrix((np.ones(len(tails)), (tails, heads)), (start + 1, start + 1))
    reached = np.zeros(start + 1, bool)
    reached[breadth_first_order(paths, start, return_predecessors=False)] = True
    crowded, roomy = reached[rows], ~reached[rows] & ~reached[n + columns]
    parts = [_cheapest(rows[part], columns[part], costs[part]) for part in (crowded, roomy) if part.any()]
    first, second = zip(*parts, strict=True)
    return np.concatenate(first), np.concatenate(second)


def _partners(rows: np.ndarray, columns: np.ndarray, n: int, m: int) -> np.ndarray:
    """Some largest matching: (n,) the column of each row, or -1.

    By Dinic's maximum flow from a source through rows and columns to a sink, each of which takes 1. SciPy's
    maximum_bipartite_matching does not come to an end on some edge maps.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_flow

    source, sink = n + m, n + m + 1
    tails = np.concatenate([np.full(n, source), rows, n + np.arange(m)])
    heads = np.concatenate([np.arange(n), n + columns, np.full(m, sink)])
    pipes = csr_array((np.ones(len(tails), np.int32), (tails, heads)), (n + m + 2, n + m + 2))
    flow = maximum_flow(pipes, source, sink, method="dinic").flow[:n, n:n + m].tocoo()
    partner = np.full(n, -1)
    partner[flow.row[flow.data > 0]] = flow.col[flow.data > 0]
    return partner


def _cheapest(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of the cheapest matching that leaves out no row, or no column."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    own_rows, i = np.unique(rows, return_inverse=True)
    own_columns, j = np.unique(columns, return_inverse=True)
    weights = csr_matrix((costs + 1, (i, j)), (len(own_rows), len(own_columns)))  # an entry of 0 would be no edge
    pairs = min_weight_full_bipartite_matching(weights)
    return own_rows[pairs[0]], own_columns[pairs[1]]
