"""Caffe layers as ONNX operations (opset 18), with sizes worked out when the model runs, not before."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_fcn.layers.pooling import Method
from caffe_fcn.proto import caffe_pb2

from .graph import Graph, Node
from .meaning import (
    FLT_MAX,
    Pool,
    check_spatial,
    constant_power,
    crop_offsets,
    folded,
    joint_axis,
    operand_place,
    pool_windows,
    single_maximum,
    slices,
    stored_statistics,
    windows_may_miss,
)
from .onnx_builder import OnnxBuilder
from .table import Table

LAYERS = Table()
END = np.iinfo(np.int64).max  # "up to the end" of a Slice
PROD, SUM, MAX = (caffe_pb2.EltwiseParameter.EltwiseOp.Value(name) for name in ("PROD", "SUM", "MAX"))


def to_onnx(graph: Graph) -> bytes:
    """A net as an ONNX model, values bearing the names of blobs. NotSupportedError for layers ONNX cannot express."""
    from . import forks  # noqa: F401  enters its layers into the table, whose functions it uses

    builder = OnnxBuilder(graph)
    for node in graph.nodes:
        if node.type not in LAYERS:
            raise node.refusal("layers of this type cannot be converted to ONNX")
        LAYERS[node.type](node, builder)
    return builder.model()


def _x(node: Node) -> str:
    return node.bottoms[0].name


@LAYERS.of("Convolution", "Deconvolution", "ConvolutionDepthwise", "DepthwiseConvolution")
def _convolution(node: Node, b: OnnxBuilder) -> None:
    check_spatial(node)
    g = node.layer.geometry  # type: ignore[attr-defined]
    words = ("weight", "bias")[:len(node.layer.blobs)]
    for i, bottom in enumerate(node.bottoms):
        b.add(node, "ConvTranspose" if node.type == "Deconvolution" else "Conv",
              [bottom.name, *(b.weight(node, j, word) for j, word in enumerate(words))], i,
              kernel_shape=g.kernel, strides=g.stride, pads=(*g.pad, *g.pad), dilations=g.dilation, group=g.group)


@LAYERS.of("InnerProduct")
def _inner_product(node: Node, b: OnnxBuilder) -> None:
    p, axis = node.param.inner_product_param, node.axis(node.param.inner_product_param.axis)
    bias = [b.weight(node, 1, "bias")] if p.bias_term else []
    if axis == 1:
        flat = b.add(node, "Flatten", [_x(node)], axis=1)
        b.add(node, "Gemm", [flat, b.weight(node, 0, "weight"), *bias], 0, transB=int(not p.transpose))
        return
    inputs = math.prod(node.bottoms[0].shape[axis:])
    flat = b.add(node, "Reshape", [_x(node), b.integers(node, "rows", [0] * axis + [inputs])])
    weight = node.weight(0) if p.transpose else node.weight(0).T
    product = [flat, b.constant(node, "weight", weight)]
    if bias:
        product = [b.add(node, "MatMul", product), *bias]
    b.add(node, "Add" if bias else "MatMul", product, 0)


@LAYERS.of("Pooling")
def _pooling(node: Node, b: OnnxBuilder) -> None:
    pool, maximum = pool_windows(node), node.param.pooling_param.pool == Method.MAX
    if pool is None:
        b.add(node, "GlobalMaxPool" if maximum else "GlobalAveragePool", [_x(node)], 0)
        return
    if not maximum:
        _average(node, b, _x(node), pool, 0)
        return
    x, pads = _x(node), (*pool.before, *pool.after)
    if windows_may_miss(pool):
        x, pads = _padded(node, b, x, pads, -FLT_MAX), (0, 0, 0, 0)
    b.add(node, "MaxPool", [x], 0, kernel_shape=pool.kernel, strides=pool.stride, pads=pads)


def _padded(node: Node, b: OnnxBuilder, x: str, pads: Sequence[int], value: float) -> str:
    """Pad height and width by (top, left, bottom, right)."""
    top, left, bottom, right = pads
    sizes = b.integers(node, "pads", [0, 0, top, left, 0, 0, bottom, right])
    return b.add(node, "Pad", [x, sizes, b.constant(node, "padding", value)])


def _average(node: Node, b: OnnxBuilder, x: str, pool: Pool, top: int | None = None) -> str:
    """Caffe's average: explicit zeros count in the divisor, the operation's own padding does not."""
    if any(pool.before):
        x = _padded(node, b, x, pool.before * 2, 0)
    beyond = [after - before for before, after in zip(pool.before, pool.after, strict=True)]
    return b.add(node, "AveragePool", [x], top, kernel_shape=pool.kernel, strides=pool.stride, pads=(0, 0, *beyond))


@LAYERS.of("LRN")
def _lrn(node: Node, b: OnnxBuilder) -> None:
    p, response = node.param.lrn_param, node.layer.response  # type: ignore[attr-defined]
    if p.norm_region == p.ACROSS_CHANNELS:
        b.add(node, "LRN", [_x(node)], 0, size=p.local_size, alpha=p.alpha, beta=p.beta, bias=p.k)
        return
    window = response.window
    squares = b.add(node, "Mul", [_x(node), _x(node)])
    mean = _average(node, b, squares, Pool(window.kernel, window.stride, window.pad, window.pad))
    scale = _affine(node, b, mean, p.alpha, 1)
    power = b.add(node, "Pow", [scale, b.constant(node, "power", -p.beta)])
    b.add(node, "Mul", [_x(node), power], 0)


def _affine(node: Node, b: OnnxBuilder, x: str, scale: float, shift: float, top: int | None = None) -> str:
    """scale * x + shift; as a top if wanted, and if there is nothing to do then x itself or a copy."""
    steps = [(op, value) for op, value, neutral in (("Mul", scale, 1), ("Add", shift, 0)) if value != neutral]
    for i, (op, value) in enumerate(steps):
        last = i == len(steps) - 1
        x = b.add(node, op, [x, b.constant(node, op.lower(), value)], top if last else None)
    return b.add(node, "Identity", [x], top) if top is not None and not steps else x


@LAYERS.of("Eltwise")
def _eltwise(node: Node, b: OnnxBuilder) -> None:
    p, names = node.param.eltwise_param, [value.name for value in node.bottoms]
    if p.operation == MAX:
        b.add(node, "Max", names, 0)
        return
    if p.coeff:
        names = [_affine(node, b, name, c, 0) for name, c in zip(names, p.coeff, strict=True)]
    op, total = "Add" if p.operation == SUM else "Mul", names[0]
    for i, name in enumerate(names[1:], 1):
        total = b.add(node, op, [total, name], 0 if i == len(names) - 1 else None)


@LAYERS.of("Scale", "Bias")
def _scale(node: Node, b: OnnxBuilder) -> None:
    learned = len(node.bottoms) == 1
    shape = node.layer.blobs[0].shape if learned else node.bottoms[1].shape
    trailing = operand_place(node, shape)
    spread = (*shape, *[1] * trailing)
    if learned:
        operand = b.weight(node, 0, "weight" if node.type == "Scale" else "bias", spread)
    else:
        places = [len(shape) + i for i in range(trailing)]
        operand = b.add(node, "Unsqueeze", [node.bottoms[1].name, b.integers(node, "axes", places)])
    if node.type == "Bias":
        b.add(node, "Add", [_x(node), operand], 0)
        return
    has_bias = node.param.scale_param.bias_term
    product = b.add(node, "Mul", [_x(node), operand], None if has_bias else 0)
    if has_bias:
        b.add(node, "Add", [product, b.weight(node, len(node.layer.blobs) - 1, "bias", spread)], 0)


@LAYERS.of("BatchNorm")
def _batch_norm(node: Node, b: OnnxBuilder) -> None:
    mean, variance, eps = stored_statistics(node)
    channels = node.layer.blobs[0].shape
    values = {"scale": np.ones(channels), "shift": np.zeros(channels), "mean": mean, "variance": variance}
    b.add(node, "BatchNormalization", [_x(node), *(b.constant(node, *item) for item in values.items())], 0,
          epsilon=eps)


@LAYERS.of("MVN")
def _mvn(node: Node, b: OnnxBuilder) -> None:
    p = node.param.mvn_param
    if len(node.bottoms[0].shape) != 4:
        raise node.refusal("only bottoms of 4 axes can be converted")
    axes = b.integers(node, "axes", [1, 2, 3] if p.across_channels else [2, 3])
    mean = b.add(node, "ReduceMean", [_x(node), axes])
    centred = b.add(node, "Sub", [_x(node), mean], None if p.normalize_variance else 0)
    if p.normalize_variance:
        variance = b.add(node, "ReduceMean", [b.add(node, "Mul", [centred, centred]), axes])
        deviation = _affine(node, b, b.add(node, "Sqrt", [variance]), 1, p.eps)
        b.add(node, "Div", [centred, deviation], 0)


# shapes


@LAYERS.of("Crop")
def _crop(node: Node, b: OnnxBuilder) -> None:
    (axis, offsets), axes = crop_offsets(node), len(node.bottoms[0].shape)
    starts = b.integers(node, "starts", offsets)
    sizes = b.add(node, "Shape", [node.bottoms[1].name], start=axis, end=axes)
    ends = b.add(node, "Add", [sizes, starts])
    b.add(node, "Slice", [_x(node), starts, ends, b.integers(node, "axes", range(axis, axes))], 0)


@LAYERS.of("Reshape", "Flatten")
def _reshape(node: Node, b: OnnxBuilder) -> None:
    fold, axes = folded(node), len(node.bottoms[0].shape)
    after = axes - fold.stop
    kept = after if len(fold.dims) == fold.stop - fold.start else 0  # later axes that stay in their place
    shape = b.integers(node, "shape", [0] * fold.start + list(fold.dims) + [0] * kept)
    if kept < after:
        shape = b.add(node, "Concat", [shape, b.add(node, "Shape", [_x(node)], start=fold.stop, end=axes)], axis=0)
    b.add(node, "Reshape", [_x(node), shape], 0)


@LAYERS.of("Concat")
def _concat(node: Node, b: OnnxBuilder) -> None:
    axis = joint_axis(node, node.param.concat_param, "concat_dim")
    b.add(node, "Concat", [value.name for value in node.bottoms], 0, axis=axis)


@LAYERS.of("Slice")
def _slice(node: Node, b: OnnxBuilder) -> None:
    axis, points = slices(node)
    if not points:
        b.add_many(node, "Split", [_x(node)], axis=axis, num_outputs=len(node.tops))
        return
    axes = b.integers(node, "axes", [axis])
    for i, (start, end) in enumerate(zip([0, *points], [*points, END], strict=True)):
        b.add(node, "Slice", [_x(node), b.integers(node, "start", [start]), b.integers(node, "end", [end]), axes], i)


@LAYERS.of("Tile")
def _tile(node: Node, b: OnnxBuilder) -> None:
    p, repeats = node.param.tile_param, [1] * len(node.bottoms[0].shape)
    repeats[node.axis(p.axis)] = p.tiles
    b.add(node, "Tile", [_x(node), b.integers(node, "repeats", repeats)], 0)


@LAYERS.of("Permute")
def _permute(node: Node, b: OnnxBuilder) -> None:
    b.add(node, "Transpose", [_x(node)], 0, perm=node.layer.order)  # type: ignore[attr-defined]


@LAYERS.of("Silence")
def _silence(node: Node, b: OnnxBuilder) -> None:
    """Nothing to do: no tops."""


@LAYERS.of("Parameter")
def _parameter(node: Node, b: OnnxBuilder) -> None:
    b.add(node, "Identity", [b.weight(node, 0, "value")], 0)


# values


@LAYERS.of("Dropout")
def _identity(node: Node, b: OnnxBuilder) -> None:
    b.add(node, "Identity", [_x(node)], 0)


SIMPLE = {"Sigmoid": "Sigmoid", "TanH": "Tanh", "AbsVal": "Abs", "BNLL": "Softplus"}


@LAYERS.of(*SIMPLE)
def _simple(node: Node, b: OnnxBuilder) -> None:
    b.add(node, SIMPLE[node.type], [_x(node)], 0)


@LAYERS.of("Softmax")
def _softmax(node: Node, b: OnnxBuilder) -> None:
    b.add(node, "Softmax", [_x(node)], 0, axis=node.axis(node.param.softmax_param.axis))


@LAYERS.of("ReLU")
def _relu(node: Node, b: OnnxBuilder) -> None:
    slope = node.param.relu_param.negative_slope
    if slope:
        b.add(node, "LeakyRelu", [_x(node)], 0, alpha=slope)
    else:
        b.add(node, "Relu", [_x(node)], 0)


@LAYERS.of("PReLU")
def _prelu(node: Node, b: OnnxBuilder) -> None:
    spread = () if node.param.prelu_param.channel_shared else (-1, *[1] * (len(node.bottoms[0].shape) - 2))
    slopes = node.weight(0).reshape(spread)
    b.add(node, "PRelu", [_x(node), b.weight(node, 0, "weight", slopes.shape)], 0)


@LAYERS.of("ELU")
def _elu(node: Node, b: OnnxBuilder) -> None:
    b.add(node, "Elu", [_x(node)], 0, alpha=node.param.elu_param.alpha)


@LAYERS.of("Clip", "ReLU6")
def _clip(node: Node, b: OnnxBuilder) -> None:
    p = node.param.clip_param
    low, high = (0, 6) if node.type == "ReLU6" else (p.min, p.max)
    b.add(node, "Clip", [_x(node), b.constant(node, "min", low), b.constant(node, "max", high)], 0)


@LAYERS.of("Swish")
def _swish(node: Node, b: OnnxBuilder) -> None:
    inner = _affine(node, b, _x(node), node.param.swish_param.beta, 0)
    b.add(node, "Mul", [_x(node), b.add(node, "Sigmoid", [inner])], 0)


@LAYERS.of("Power")
def _power(node: Node, b: OnnxBuilder) -> None:
    p, value = node.param.power_param, constant_power(node)
    if value is not None:
        shape = b.add(node, "Shape", [_x(node)])
        tensor = b.onnx.helper.make_tensor("value", b.onnx.TensorProto.FLOAT, [1], [value])
        b.add(node, "ConstantOfShape", [shape], 0, value=tensor)
        return
    inner = _affine(node, b, _x(node), p.scale, p.shift, 0 if p.power == 1 else None)
    if p.power != 1:
        b.add(node, "Pow", [inner, b.constant(node, "power", p.power)], 0)


@LAYERS.of("Exp")
def _exp(node: Node, b: OnnxBuilder) -> None:
    layer = node.layer
    inner = _affine(node, b, _x(node), layer._inner, layer._shift)  # type: ignore[attr-defined]
    b.add(node, "Exp", [inner], 0)


@LAYERS.of("Log")
def _log(node: Node, b: OnnxBuilder) -> None:
    p = node.param.log_param
    logarithm = b.add(node, "Log", [_affine(node, b, _x(node), p.scale, p.shift)])
    _affine(node, b, logarithm, 1 / node.layer._log_base, 0, 0)  # type: ignore[attr-defined]


@LAYERS.of("Threshold")
def _threshold(node: Node, b: OnnxBuilder) -> None:
    above = b.add(node, "Greater", [_x(node), b.constant(node, "threshold", node.param.threshold_param.threshold)])
    b.add(node, "Cast", [above], 0, to=b.onnx.TensorProto.FLOAT)


REDUCTIONS = {"SUM": "ReduceSum", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare", "MEAN": "ReduceMean"}


@LAYERS.of("Reduction")
def _reduction(node: Node, b: OnnxBuilder) -> None:
    p = node.param.reduction_param
    axes = b.integers(node, "axes", range(node.axis(p.axis), len(node.bottoms[0].shape)))
    total = b.add(node, REDUCTIONS[p.ReductionOp.Name(p.operation)], [_x(node), axes], keepdims=0)
    _affine(node, b, total, p.coeff, 0, 0)


@LAYERS.of("ArgMax")
def _arg_max(node: Node, b: OnnxBuilder) -> None:
    axis, x = single_maximum(node), _x(node)
    if axis is None:
        x = b.add(node, "Flatten", [x], axis=1)
    index = b.add(node, "ArgMax", [x], axis=1 if axis is None else axis, keepdims=1, select_last_index=1)
    if axis is None:
        index = b.add(node, "Reshape", [index, b.integers(node, "shape", [0] + [1] * (len(node.tops[0].shape) - 1))])
    b.add(node, "Cast", [index], 0, to=b.onnx.TensorProto.FLOAT)
