"""The mean of several snapshots."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from caffe_fcn.errors import WeightsError

from .checks import STRICT, Check, Subject, runnable
from .model import Arrays, PathLike, as_model, load_weights


def average(subject: Subject, snapshots: Sequence[PathLike], *, check: Check = STRICT) -> Subject:
    """Give a net the mean of the weights in several files (Polyak and Juditsky, "Acceleration of stochastic
    approximation by averaging", 1992). The files must hold the same layers with the same shapes.

    The sums that BatchNorm keeps are averaged too: a snapshot with longer sums counts more in the statistics.
    Prints how far each snapshot is from the mean. Raises WeightsError where files differ in more than values.
    """
    if not snapshots:
        raise WeightsError("there are no snapshots to average")
    before = as_model(subject)
    after = before.copy()
    types = {layer.name: layer.type for layer in before.net.layer}
    files = [load_weights(path, types) for path in snapshots]
    for path, weights in zip(snapshots, files, strict=True):
        _check_same(os.fspath(snapshots[0]), files[0], os.fspath(path), weights)
    mean = {name: tuple(_mean([weights[name][i] for weights in files]) for i in range(len(arrays)))
            for name, arrays in files[0].items() if name in types}
    if not mean:
        raise WeightsError(f"{os.fspath(snapshots[0])} holds no layer of the net")
    after.weights.update(mean)
    if check.run:
        for path, weights in zip(snapshots, files, strict=True):
            check.show(f"average: {os.fspath(path)} is {_distance(mean, weights):.2g} of its length from the mean")
        runnable(after, check.shapes)  # the shapes fit the net
    return check.conclude(subject, before, after)


def _check_same(first: str, expected: dict[str, Arrays], file: str, found: dict[str, Arrays]) -> None:
    for name in {**expected, **found}:
        shapes = [[array.shape for array in each.get(name, ())] for each in (expected, found)]
        if shapes[0] != shapes[1]:
            raise WeightsError(f"layer '{name}' has the shapes {shapes[0]} in {first}, but {shapes[1]} in {file}")


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    total = np.zeros(arrays[0].shape)
    for array in arrays:
        total += array
    return (total / len(arrays)).astype(np.float32)


def _distance(mean: dict[str, Arrays], weights: dict[str, Arrays]) -> float:
    """Euclidean distance of all values, as a part of their Euclidean length."""
    apart = length = 0.0
    for name, arrays in mean.items():
        for a, b in zip(arrays, weights[name], strict=True):
            apart += float(np.square(np.float64(a) - b).sum())
            length += float(np.square(np.float64(b)).sum())
    return (apart / length) ** 0.5 if length else 0.0
