"""What Caffe's fields mean in the terms of other engines, for all targets alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caffe_fcn.layers.pooling import Method

from .graph import Node

Pair = tuple[int, int]
FLT_MAX = 3.4028234663852886e38


class Pool(NamedTuple):
    """Windows that move as other engines count them, rounding down: `after` is the padding that makes it so.

    MAX takes the padding as minus infinity. AVE divides by the part of a window that lies within `before` on both
    sides: padding beyond it, up to `after`, does not count.
    """

    kernel: Pair
    stride: Pair
    before: Pair
    after: Pair


def pool_windows(node: Node) -> Pool | None:
    """The windows of a Pooling layer; None for one over the whole plane.

    Caffe rounds the number of windows up and, with padding, drops a last one that starts at H + pad or beyond. This is
    rounding down with pad + stride - 1 rows after the input, though with padding never more than kernel - 1.
    NotSupportedError for STOCHASTIC, masks, and means of windows wholly outside.
    """
    p = node.param.pooling_param
    if p.pool == Method.STOCHASTIC or len(node.tops) > 1:
        raise node.refusal("'pool: STOCHASTIC' and a second top (the mask) cannot be converted")
    if p.global_pooling:
        return None
    kernel, stride, pad = node.layer.given  # type: ignore[attr-defined]
    up = p.round_mode != Method.FLOOR
    after = [p + (s - 1 if up else 0) for p, s in zip(pad, stride, strict=True)]
    if any(pad):
        after = [min(a, k - 1) for a, k in zip(after, kernel, strict=True)]
    pool = Pool(kernel, stride, pad, (after[0], after[1]))
    if p.pool == Method.AVE and windows_may_miss(pool):
        raise node.refusal("a 'stride' larger than the kernel leaves AVE windows without a value")
    return pool


def windows_may_miss(pool: Pool) -> bool:
    """Whether a last window may lie wholly outside the input."""
    return any(a >= k for a, k in zip(pool.after, pool.kernel, strict=True))


def crop_offsets(node: Node) -> tuple[int, list[int]]:
    """First axis of a Crop layer, and the offset along each axis from it on."""
    p, axis = node.param.crop_param, node.axis(node.param.crop_param.axis)
    cut = len(node.bottoms[0].shape) - axis
    return axis, list(p.offset) if len(p.offset) == cut else [*p.offset, 0][:1] * cut


def constant_power(node: Node) -> float | None:
    """The value of a Power layer whose top does not depend on its bottom; None for any other."""
    p = node.param.power_param
    if p.power * p.scale:
        return None
    return float(np.float32(p.shift) ** np.float32(p.power)) if p.power else 1.0


class Folded(NamedTuple):
    """A Reshape or Flatten: axes from `start` to `stop` (excluded) become `dims` (0 copies, -1 fills)."""

    start: int
    stop: int
    dims: tuple[int, ...]


def folded(node: Node) -> Folded:
    """What a Reshape or Flatten layer does to the axes of its bottom."""
    axes = len(node.bottoms[0].shape)
    if node.type == "Flatten":
        p = node.param.flatten_param
        return Folded(node.axis(p.axis), node.axis(p.end_axis) + 1, (-1,))
    p = node.param.reshape_param
    start = p.axis if p.axis >= 0 else axes + p.axis + 1
    stop = axes if p.num_axes == -1 else start + p.num_axes
    return Folded(start, stop, tuple(p.shape.dim))


def slices(node: Node) -> tuple[int, list[int]]:
    """Axis and cutting points of a Slice layer; no points: equal parts."""
    p = node.param.slice_param
    return joint_axis(node, p, "slice_dim"), list(p.slice_point)


def joint_axis(node: Node, param: object, old_name: str) -> int:
    """The axis of a Concat or Slice layer, under its present or its old name."""
    old = param.HasField(old_name)  # type: ignore[attr-defined]
    return node.axis(getattr(param, old_name if old else "axis"))


def operand_place(node: Node, shape: tuple[int, ...]) -> int:
    """How many axes of the bottom follow those of a Scale's or Bias's operand of this shape."""
    param = node.param.scale_param if node.type == "Scale" else node.param.bias_param
    start = node.axis(param.axis) if shape else 0
    return len(node.bottoms[0].shape) - start - len(shape) if shape else 0


def check_spatial(node: Node) -> int:
    """The number of spatial axes of a Convolution or Deconvolution. NotSupportedError unless there are 1 to 3."""
    layer = node.layer
    if node.axis(node.param.convolution_param.axis) != 1:
        raise node.refusal("'axis' other than 1 cannot be converted")
    if not 1 <= layer.spatial <= 3 or min(layer.geometry.dilation) < 1:  # type: ignore[attr-defined]
        raise node.refusal("only kernels over 1 to 3 axes, with a dilation of at least 1, can be converted")
    g, sizes = layer.geometry, node.bottoms[0].shape[2:]  # type: ignore[attr-defined]
    room = [size + 2 * pad - d * (k - 1) for size, pad, d, k in zip(sizes, g.pad, g.dilation, g.kernel, strict=True)]
    if node.type != "Deconvolution" and min(room) < 1:
        raise node.refusal(f"the kernel {g.kernel} does not fit in the padded bottom of shape {node.bottoms[0].shape}: "
                           "only Caffe lets it look beyond")
    return layer.spatial  # type: ignore[attr-defined]


def stored_statistics(node: Node) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean (C), variance (C) and eps of a BatchNorm layer. NotSupportedError if it takes them from the batch."""
    if not node.layer.stored:  # type: ignore[attr-defined]
        raise node.refusal("'use_global_stats: false' takes mean and variance from the batch")
    weight = float(node.weight(2)[0])
    factor = 1 / weight if weight else 0.0
    return node.weight(0) * factor, node.weight(1) * factor, node.param.batch_norm_param.eps


def single_maximum(node: Node) -> int | None:
    """The axis of an ArgMax layer, None if it has none. NotSupportedError for more than one index."""
    p = node.param.argmax_param
    if p.top_k != 1 or p.out_max_val:
        raise node.refusal("only 'top_k: 1' without 'out_max_val' can be converted")
    return node.axis(p.axis) if p.HasField("axis") else None
