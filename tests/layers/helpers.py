"""Run one layer without a net; compare its gradients with differences of its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn import mode
from caffe_fcn.blob import Blob
from caffe_fcn.layers.base import Layer, LayerContext, check_counts
from caffe_fcn.layers.registry import create_layer
from caffe_fcn.proto import caffe_pb2
from caffe_fcn.proto.text import parse


class Run(NamedTuple):
    """A layer after its passes."""

    layer: Layer
    bottom: list[Blob]
    top: list[Blob]

    @property
    def y(self) -> np.ndarray:
        """Values of the first top."""
        return self.top[0].data


def build_layer(
    prototxt: str, bottoms: Sequence[Any], *, phase: str = "TRAIN", tops: int = 1, in_place: bool = False,
    dtype: Any = np.float32, folder: Any = None,
) -> Run:
    """Make a layer from the text of a LayerParameter and set it up over blobs with these values."""
    param = parse(f"name: 'tested' phase: {phase} {prototxt}", caffe_pb2.LayerParameter())
    if not param.bottom:
        param.bottom.extend(f"x{i}" for i in range(len(bottoms)))
    blobs = []
    for values in bottoms:
        blobs.append(Blob(np.shape(values), dtype))
        blobs[-1].data[...] = values
    top = blobs[:1] if in_place else [Blob((), dtype) for _ in range(tops)]
    layer = create_layer(param, LayerContext(folder, np.dtype(dtype)))
    check_counts(layer, blobs, top)
    layer.setup(blobs, top)
    layer.param_propagate_down = [True] * len(layer.blobs)
    layer.reshape(blobs, top)
    return Run(layer, blobs, top)


def run_layer(
    prototxt: str, bottoms: Sequence[Any], *, params: Sequence[Any] = (), top_diffs: Sequence[Any] | None = None,
    wanted: Sequence[bool] | None = None, **more: Any,
) -> Run:
    """Build a layer (see `build_layer`), set its parameters, run forward, and backward if `top_diffs` are given.

    wanted: bottoms that get a diff; by default those to which force_backward applies.
    """
    run = build_layer(prototxt, bottoms, **more)
    for blob, values in zip(run.layer.blobs, params, strict=False):
        blob.data[...] = values
    run.layer.forward(run.bottom, run.top)
    if top_diffs is not None:
        for blob, diff in zip(run.top, top_diffs, strict=True):
            blob.diff[...] = diff
        if wanted is None:
            wanted = [run.layer.allow_force_backward(i) for i in range(len(run.bottom))]
        run.layer.backward(run.top, wanted, run.bottom)
    return run


def check_gradient(
    prototxt: str, bottoms: Sequence[Any], *, params: Sequence[Any] | None = None, only: Sequence[int] | None = None,
    step: float = 1e-6, rtol: float = 1e-5, seed: int = 0, **more: Any,
) -> None:
    """Compare backward with a central difference along a random direction, in float64.

    The function is a random weighted sum of all tops; the direction moves the parameters and the bottoms, or
    those of the bottoms that `only` lists (labels, for example, are not moved).
    """
    rng = np.random.default_rng(seed)
    more = {"dtype": np.float64, **more}
    x = [np.asarray(values, np.float64) for values in bottoms]
    built = build_layer(prototxt, x, **more)
    if params is None:
        params = [rng.normal(size=blob.shape) for blob in built.layer.blobs]
    params = [np.asarray(values, np.float64) for values in params]
    moved = range(len(x)) if only is None else only
    way_x = [rng.normal(size=v.shape) if i in moved else np.zeros(v.shape) for i, v in enumerate(x)]
    way_p = [rng.normal(size=v.shape) for v in params]

    def evaluate(distance: float, **also: Any) -> Run:
        mode.set_random_seed(seed)
        return run_layer(prototxt, [v + distance * way for v, way in zip(x, way_x, strict=True)],
                         params=[v + distance * way for v, way in zip(params, way_p, strict=True)], **more, **also)

    weights = [rng.normal(size=blob.shape) for blob in evaluate(0).top]

    def value(distance: float) -> float:
        return sum(float((w * blob.data).sum()) for w, blob in zip(weights, evaluate(distance).top, strict=True))

    run = evaluate(0, top_diffs=weights, wanted=[i in moved for i in range(len(x))])
    slopes = [(blob.diff * way).sum() for blob, way in zip(run.bottom, way_x, strict=True)]
    slopes += [(blob.diff * way).sum() for blob, way in zip(run.layer.blobs, way_p, strict=True)]
    expected = (value(step) - value(-step)) / (2 * step)
    np.testing.assert_allclose(sum(slopes), expected, rtol, atol=rtol * max(1, *np.abs(slopes)))
