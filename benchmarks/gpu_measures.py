"""What is measured on a GPU: passes, iterations, streams of sizes, single layers, and the card's own limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from common import summary

from caffe_fcn.cli.time import layer_costs

PRODUCT = 8192  # rows and columns of the matrix product that tells the peak
COPIED = 1 << 28  # float32 of the copy that tells the bandwidth


class Limits(NamedTuple):
    """Measured: floating point operations and bytes (read and written) per second."""

    flops: float
    bytes: float


class LayerTime(NamedTuple):
    """A layer's forward pass: seconds, and how far the card's limit is (1: reached)."""

    name: str
    type: str
    seconds: float
    share_of_limit: float


def card_limits(cupy: Any, product: int = PRODUCT, copied: int = COPIED, rounds: int = 10) -> Limits:
    """The fastest of some matrix products and copies, in the chosen precision."""
    a, b = (cupy.ones((product, product), np.float32) for _ in range(2))
    source, target = cupy.ones(copied, np.float32), cupy.empty(copied, np.float32)
    multiply = min(seconds_each(cupy, lambda: cupy.matmul(a, b), rounds))
    copy = min(seconds_each(cupy, lambda: cupy.copyto(target, source), rounds))
    return Limits(2 * product**3 / multiply, 2 * source.nbytes / copy)


def seconds_each(cupy: Any, work: Callable[[], Any], rounds: int, warm: int = 2) -> list[float]:
    """Seconds of each call, until the card is done; `warm` calls before are not counted."""
    found = []
    for i in range(warm + rounds):
        cupy.cuda.runtime.deviceSynchronize()
        start = time.perf_counter()
        work()
        cupy.cuda.runtime.deviceSynchronize()
        if i >= warm:
            found.append(time.perf_counter() - start)
    return found


def stream(cupy: Any, run: Callable[[np.ndarray], Any], images: Sequence[np.ndarray]) -> dict[str, Any]:
    """Images of different sizes one after the other, twice: when every size is new, and when it is known."""
    rounds = []
    for _ in range(2):
        cupy.cuda.runtime.deviceSynchronize()
        start = time.perf_counter()
        for image in images:
            run(image)
        cupy.cuda.runtime.deviceSynchronize()
        rounds.append(time.perf_counter() - start)
    return {"images": len(images), "new_sizes_s": rounds[0], "known_sizes_s": rounds[1]}


def stream_sizes(count: int, largest: int = 500, seed: int = 0) -> list[tuple[int, int]]:
    """Heights and widths as photos have them: the longer side `largest`, the other one from 2/3 of it on."""
    random = np.random.default_rng(seed)
    others = random.integers(2 * largest // 3, largest + 1, count)
    return [(largest, int(other)) if i % 2 else (int(other), largest) for i, other in enumerate(others)]


def layer_times(cupy: Any, net: Any, limits: Limits, rounds: int = 5) -> list[LayerTime]:
    """Each layer alone. Its limit: the time that its operations, or if that is more its bytes, must take."""
    costs, found = layer_costs(net), []
    wiring = net._wiring
    for i, (name, kind) in enumerate(zip(wiring.layer_names, wiring.types, strict=True)):
        seconds = min(seconds_each(cupy, lambda i=i: net._forward(i, i), rounds))
        values = sum(blob.count for blob in (*wiring.bottoms[i], *wiring.tops[i], *wiring.layers[i].blobs))
        least = max(costs[i].flops / limits.flops, 4 * values / limits.bytes)
        found.append(LayerTime(name, kind, seconds, least / seconds))
    return found


def timed(cupy: Any, work: Callable[[], Any], rounds: int, warm: int) -> dict[str, Any]:
    """Median and extremes of `seconds_each`."""
    return summary(seconds_each(cupy, work, rounds, warm))


def ratio(ours: dict[str, Any], theirs: dict[str, Any], key: str = "median_s") -> float:
    """Our time over theirs: below 1 we are faster."""
    return ours[key] / theirs[key]
