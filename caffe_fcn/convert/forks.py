"""Layers of the forks that nets for segmentation use (DeepLab's Interp, PSPNet's and SegNet's BN), for all targets."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import to_onnx, to_torch
from .graph import Node
from .onnx_builder import OnnxBuilder
from .torch_builder import TorchBuilder


class Normal(NamedTuple):
    """What a BN layer computes, all but eps (C): scale * (x - mean) / sqrt(variance + eps) + shift."""

    scale: np.ndarray
    shift: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    eps: float


def normal(node: Node) -> Normal:
    """The numbers of a BN layer. NotSupportedError if it takes mean and variance from the batch."""
    layer: Any = node.layer
    if layer.by_batch or len(node.tops) > 1:
        raise node.refusal("it takes mean and variance from the batch (SegNet's needs 'bn_mode: INFERENCE')")
    values = [node.weight(i).reshape(-1) for i in range(len(layer.blobs))]
    channels = values[0].size
    if len(values) == 2:  # SegNet's
        return Normal(values[0], values[1], np.zeros(channels, np.float32), np.ones(channels, np.float32), 0.0)
    scale, shift, mean, variance = values
    return Normal(scale, shift, mean, variance, layer.given.eps)


@to_onnx.LAYERS.of("BN")
def _bn_onnx(node: Node, b: OnnxBuilder) -> None:
    *arrays, eps = normal(node)
    names = [b.constant(node, word, array) for word, array in zip(Normal._fields, arrays, strict=False)]
    b.add(node, "BatchNormalization", [node.bottoms[0].name, *names], 0, epsilon=eps)


@to_torch.LAYERS.of("BN")
def _bn_torch(node: Node, b: TorchBuilder) -> None:
    *arrays, eps = normal(node)
    words = ("weight", "bias", "running_mean", "running_var")
    to_torch.batch_norm(node, b, [*zip(words, arrays, strict=True)], f"eps={eps!r}")


@to_onnx.LAYERS.of("Interp")
def _interp_onnx(node: Node, b: OnnxBuilder) -> None:
    p, x = node.layer.given, node.bottoms[0].name  # type: ignore[attr-defined]
    if p.pad_beg or p.pad_end:
        places = {"start": [-p.pad_beg] * 2, "end": [p.pad_end or to_onnx.END] * 2, "axes": [2, 3]}
        x = b.add(node, "Slice", [x, *(b.integers(node, *place) for place in places.items())])
    if p.HasField("height"):
        sizes = b.integers(node, "size", [p.height, p.width])
    else:
        one = b.integers(node, "one", [1])
        steps = b.add(node, "Sub", [b.add(node, "Shape", [x], start=2), one])
        for operation, factor in (("Div", node.layer.shrink), ("Mul", node.layer.zoom)):  # type: ignore[attr-defined]
            if factor > 1:
                steps = b.add(node, operation, [steps, b.integers(node, operation, [factor])])
        sizes = b.add(node, "Add", [steps, one])
    sizes = b.add(node, "Concat", [b.add(node, "Shape", [x], end=2), sizes], axis=0)
    b.add(node, "Resize", [x, "", "", sizes], 0, mode="linear", coordinate_transformation_mode="align_corners")


@to_torch.LAYERS.of("Interp")
def _interp_torch(node: Node, b: TorchBuilder) -> None:
    p, x = node.layer.given, b.x(node)  # type: ignore[attr-defined]
    cut = -p.pad_beg - p.pad_end
    part = f"{-p.pad_beg or ''}:{p.pad_end or ''}"
    if p.HasField("height"):
        sizes = [str(p.height), str(p.width)]
    else:
        step = f"// {node.layer.shrink} * {node.layer.zoom}"  # type: ignore[attr-defined]
        sizes = [f"({x}.shape[{axis}] - {1 + cut}) {step} + 1" for axis in (2, 3)]
    source = f"{x}[:, :, {part}, {part}]" if cut else x
    b.set(node, f"F.interpolate({source}, size=({', '.join(sizes)}), mode='bilinear', align_corners=True)")
