"""ONNX operations as Caffe layers; what Caffe computes otherwise is refused, not approximated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_fcn.proto import caffe_pb2

from .onnx_file import OnnxModel
from .onnx_reader import OPERATIONS, Imported, OnnxReader, Operation, put, sized
from .onnx_values import Blob, Dim, Padded, Shape, as_integers, as_sizes

METHODS = caffe_pb2.PoolingParameter
END = 2**31 - 1  # an end of a Slice that means "up to the end" is at least this


def from_onnx(model: OnnxModel) -> Imported:
    """A net with the model's weights; blobs bear the names of the model's values.

    NotSupportedError names the node that no layer of Caffe computes exactly.
    """
    return OnnxReader(model).read()


@OPERATIONS.of("Conv", "ConvTranspose")
def _convolution(op: Operation, r: OnnxReader) -> None:
    x, weight, bias = r.blob(op), r.constant(op, 1), r.constant(op, 2)
    axes = len(x.shape) - 2
    pads = list(op.get("pads", [0] * 2 * axes))
    if op.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or pads[:axes] != pads[axes:]:
        raise op.refusal("Caffe pads both sides alike: 'pads' must be symmetric and 'auto_pad' not used")
    if any(op.get("output_padding", [])) or op.get("output_shape", []):
        raise op.refusal("Caffe has no 'output_padding' and no 'output_shape'")
    if weight is None or weight.ndim != axes + 2:
        raise op.refusal("needs a constant weight")
    group = op.get("group", 1)
    deconvolution = op.type == "ConvTranspose"
    blobs = [weight] if bias is None else [weight, bias]
    p = r.layer(op, "Deconvolution" if deconvolution else "Convolution", [x], blobs).convolution_param
    p.num_output = weight.shape[1] * group if deconvolution else weight.shape[0]
    put(p, group=group, bias_term=bias is not None)
    for field, values, default in (("kernel_size", weight.shape[2:], None), ("pad", pads[:axes], 0),
                                   ("stride", op.get("strides", []), 1), ("dilation", op.get("dilations", []), 1)):
        if any(value != default for value in values):
            getattr(p, field).extend(values[:1] if len(set(values)) == 1 else values)


@OPERATIONS.of("Gemm")
def _gemm(op: Operation, r: OnnxReader) -> None:
    if op.get("transA", 0) or (op.get("alpha", 1.0), op.get("beta", 1.0)) != (1.0, 1.0):
        raise op.refusal("'transA', 'alpha' and 'beta' have no place in an InnerProduct layer")
    _inner_product(op, r, op.get("transB", 0), r.constant(op, 2))


@OPERATIONS.of("MatMul")
def _matmul(op: Operation, r: OnnxReader) -> None:
    _inner_product(op, r, 0, None)


def _inner_product(op: Operation, r: OnnxReader, transposed: int, bias: np.ndarray | None) -> None:
    x, weight = r.blob(op), r.constant(op, 1)
    if weight is None or weight.ndim != 2:
        raise op.refusal("needs a constant matrix")
    weight = weight if transposed else np.ascontiguousarray(weight.T)
    if bias is not None and bias.size != weight.shape[0]:
        bias = np.broadcast_to(bias, weight.shape[:1]) if bias.size == 1 else bias
    blobs = [weight] if bias is None else [weight, bias.reshape(-1)]
    p = r.layer(op, "InnerProduct", [x], blobs).inner_product_param
    put(p, num_output=weight.shape[0], bias_term=bias is not None, axis=len(x.shape) - 1)


# pooling


@OPERATIONS.of("Pad")
def _pad(op: Operation, r: OnnxReader) -> None:
    x, pads = r.blob(op), r.integers(op, "pads", 1)
    value, axes = r.constant(op, 2), len(x.shape)
    fill = float(value.ravel()[0]) if value is not None else float(op.get("value", 0))
    if op.get("mode", b"constant") != b"constant" or len(pads) != 2 * axes or min(pads) < 0:
        raise op.refusal("only constant padding of all axes may stand before a pooling")
    if axes != 4 or any(pads[:2]) or any(pads[4:6]):
        raise op.refusal("only height and width can be padded")
    r.values[op.node.output[0]] = Padded(x, tuple(pads[2:4]), tuple(pads[6:8]), fill)


@OPERATIONS.of("MaxPool", "AveragePool")
def _pooling(op: Operation, r: OnnxReader) -> None:
    maximum, value = op.type == "MaxPool", r.input(op, 0)
    if len(op.node.output) > 1 and op.node.output[1]:
        raise op.refusal("the second result (indices) has no counterpart")
    if op.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or set(op.get("dilations", [1])) != {1}:
        raise op.refusal("Caffe's poolings have no 'auto_pad' and no 'dilations'")
    kernel = tuple(op.get("kernel_shape", ()))
    stride = tuple(op.get("strides", (1,) * len(kernel)))
    pads = tuple(op.get("pads", (0,) * 2 * len(kernel)))
    if len(kernel) != 2:
        raise op.refusal("Caffe pools over height and width only")
    before, after = pads[:2], pads[2:]
    counted = bool(op.get("count_include_pad", 0))
    if isinstance(value, Padded):
        x, outer_before, outer_after = _taken_in(op, value, maximum, any(before), counted)
        before = tuple(map(sum, zip(before, outer_before, strict=True)))
        after = tuple(map(sum, zip(after, outer_after, strict=True)))
        counted = outer_before == outer_after and not counted
    else:
        x = r.blob(op)
    rounding = _rounding(op, maximum, counted, (kernel, stride, before, after))
    p = r.layer(op, "Pooling", [x]).pooling_param
    put(p, pool=METHODS.MAX if maximum else METHODS.AVE, round_mode=rounding)
    for stem, (high, wide), default in (("kernel", kernel, 0), ("stride", stride, 1), ("pad", before, 0)):
        if high == wide != default:
            setattr(p, "kernel_size" if stem == "kernel" else stem, high)
        elif high != wide:
            setattr(p, f"{stem}_h", high)
            setattr(p, f"{stem}_w", wide)


def _taken_in(op: Operation, padded: Padded, maximum: bool, inner: bool, counted: bool) -> tuple[Blob, Shape, Shape]:
    """What a Pad operation before a pooling amounts to, if Caffe's own padding does the same."""
    fits = padded.value < -1e38 if maximum else padded.value == 0 and padded.before == padded.after
    if not fits or inner or counted:
        raise op.refusal("the Pad operation before it pads in a way that Caffe's pooling does not")
    return padded.blob, padded.before, padded.after


def _rounding(op: Operation, maximum: bool, counted: bool, window: tuple[Shape, Shape, Shape, Shape]) -> int:
    """CEIL or FLOOR, whichever gives these windows (`meaning.pool_windows` says how padding makes up for rounding)."""
    kernel, stride, before, after = window
    if op.get("ceil_mode", 0):
        same = before == after and (maximum or counted or not any(before))
        up = after
    else:
        up = tuple(p + s - 1 for p, s in zip(before, stride, strict=True))
        if any(before):
            up = tuple(min(a, k - 1) for a, k in zip(up, kernel, strict=True))
        same = after == up and (maximum or counted or not any(before))
    if same:
        return METHODS.CEIL
    if not op.get("ceil_mode", 0) and after == before and (maximum or counted or not any(before)):
        return METHODS.FLOOR
    raise op.refusal(f"Caffe's poolings do not pad {before} before and {after} after the input"
                     + ("" if maximum else " with this 'count_include_pad'"))


@OPERATIONS.of("GlobalMaxPool", "GlobalAveragePool")
def _global(op: Operation, r: OnnxReader) -> None:
    p = r.layer(op, "Pooling", [r.blob(op)]).pooling_param
    put(p, pool=METHODS.MAX if op.type == "GlobalMaxPool" else METHODS.AVE, global_pooling=True)


REDUCTIONS = {"ReduceSum": "SUM", "ReduceL1": "ASUM", "ReduceSumSquare": "SUMSQ", "ReduceMean": "MEAN"}


@OPERATIONS.of(*REDUCTIONS)
def _reduction(op: Operation, r: OnnxReader) -> None:
    x = r.blob(op)
    count = len(x.shape)
    axes = sorted(axis % count for axis in r.integers(op, "axes", 1, range(count)))
    if op.get("keepdims", 1):
        if op.type != "ReduceMean" or count != 4 or axes != [2, 3]:
            raise op.refusal("with 'keepdims' only the mean over height and width can be converted")
        p = r.layer(op, "Pooling", [x]).pooling_param
        p.pool, p.global_pooling = METHODS.AVE, True
    elif axes != list(range(axes[0], count)):
        raise op.refusal("a Reduction layer takes all axes from one on")
    else:
        p = r.layer(op, "Reduction", [x]).reduction_param
        put(p, operation=p.ReductionOp.Value(REDUCTIONS[op.type]), axis=axes[0])


# element-wise


SIMPLE = {"Relu": "ReLU", "Sigmoid": "Sigmoid", "Tanh": "TanH", "Abs": "AbsVal", "Exp": "Exp", "Log": "Log",
          "Softplus": "BNLL"}


@OPERATIONS.of(*SIMPLE)
def _simple(op: Operation, r: OnnxReader) -> None:
    r.layer(op, SIMPLE[op.type], [r.blob(op)])


@OPERATIONS.of("LeakyRelu")
def _leaky_relu(op: Operation, r: OnnxReader) -> None:
    r.layer(op, "ReLU", [r.blob(op)]).relu_param.negative_slope = op.get("alpha", 0.01)


@OPERATIONS.of("Elu")
def _elu(op: Operation, r: OnnxReader) -> None:
    r.layer(op, "ELU", [r.blob(op)]).elu_param.alpha = op.get("alpha", 1.0)


@OPERATIONS.of("PRelu")
def _prelu(op: Operation, r: OnnxReader) -> None:
    x, slope = r.blob(op), r.constant(op, 1)
    channels = (x.shape[1], *[1] * (len(x.shape) - 2))
    shared = slope is not None and slope.size == 1
    if slope is None or (not shared and slope.shape not in (channels, (1, *channels))):
        raise op.refusal("needs one slope, or one per channel")
    p = r.layer(op, "PReLU", [x], [slope.reshape(() if shared else -1)]).prelu_param
    put(p, channel_shared=shared)


@OPERATIONS.of("Clip")
def _clip(op: Operation, r: OnnxReader) -> None:
    limits = [r.constant(op, 1), r.constant(op, 2)]
    low, high = (op.get(name, extreme) if limit is None else float(limit.ravel()[0]) for name, limit, extreme in
                 zip(("min", "max"), limits, (-3.4028235e38, 3.4028235e38), strict=True))
    p = r.layer(op, "Clip", [r.blob(op)]).clip_param
    p.min, p.max = low, high


@OPERATIONS.of("Identity", "Cast", "Dropout")
def _identity(op: Operation, r: OnnxReader) -> None:
    if op.type == "Dropout":
        p = r.layer(op, "Dropout", [r.blob(op)]).dropout_param
        ratio = r.constant(op, 1)
        put(p, dropout_ratio=op.get("ratio", 0.5) if ratio is None else float(ratio.ravel()[0]))
    elif op.type == "Cast" and op.get("to", 1) != 1:
        raise op.refusal("blobs are floats")
    else:
        r.alias(op)


@OPERATIONS.of("Neg", "Sqrt", "Reciprocal", "Pow")
def _power(op: Operation, r: OnnxReader) -> None:
    exponent = r.constant(op, 1)
    if op.type == "Pow" and (exponent is None or exponent.size != 1):
        raise op.refusal("needs one constant exponent")
    p = r.layer(op, "Power", [r.blob(op)]).power_param
    if op.type == "Neg":
        p.scale = -1
    else:
        p.power = {"Sqrt": 0.5, "Reciprocal": -1.0}.get(op.type) or float(exponent.ravel()[0])  # type: ignore[union-attr]


@OPERATIONS.of("Add", "Sub", "Mul", "Div")
def _arithmetic(op: Operation, r: OnnxReader) -> None:
    left, right = r.input(op, 0), r.input(op, 1)
    if not isinstance(left, np.ndarray) and not isinstance(right, np.ndarray):
        _two_blobs(op, r)
        return
    x, values = r.blob(op, int(isinstance(left, np.ndarray))), left if isinstance(left, np.ndarray) else right
    if isinstance(left, np.ndarray) and op.type in ("Sub", "Div"):
        raise op.refusal("a constant minus or divided by a blob has no single layer")
    values = values.astype(np.float32)
    values = -values if op.type == "Sub" else 1 / values if op.type == "Div" else values
    product = op.type in ("Mul", "Div")
    if values.size == 1:
        p = r.layer(op, "Power", [x]).power_param
        setattr(p, "scale" if product else "shift", float(values.ravel()[0]))
        return
    axis, shape = _operand(op, x, values)
    layer = r.layer(op, "Scale" if product else "Bias", [x], [values.reshape(shape)])
    p = layer.scale_param if product else layer.bias_param
    put(p, axis=axis, num_axes=len(shape))


def _operand(op: Operation, x: Blob, values: np.ndarray) -> tuple[int, Shape]:
    """Where a constant lies among the axes of a blob that it is broadcast over: first axis, and its own shape."""
    full = (1,) * (len(x.shape) - values.ndim) + values.shape
    used = [axis for axis, size in enumerate(full) if size != 1]
    start, stop = used[0], used[-1] + 1
    if len(full) != len(x.shape) or full[start:stop] != x.shape[start:stop]:
        raise op.refusal(f"the constant of shape {values.shape} is no operand for a blob of shape {x.shape}")
    return start, full[start:stop]


def _two_blobs(op: Operation, r: OnnxReader) -> None:
    first, second = r.blob(op, 0), r.blob(op, 1)
    if op.type == "Div":
        raise op.refusal("Caffe cannot divide blobs by each other")
    if first.shape == second.shape:
        p = r.layer(op, "Eltwise", [first, second]).eltwise_param
        put(p, operation=p.PROD if op.type == "Mul" else p.SUM)
        if op.type == "Sub":
            p.coeff.extend([1, -1])
        return
    large, small = sorted((first, second), key=lambda blob: -int(np.prod(blob.shape)))
    kept, axis = len(small.shape), len(large.shape) - len(small.shape)
    while kept and small.shape[kept - 1] == 1:
        kept -= 1
    if op.type == "Sub" or not kept or axis < 0 or small.shape[:kept] != large.shape[axis:axis + kept]:
        raise op.refusal(f"blobs of shapes {first.shape} and {second.shape} cannot be combined by one layer")
    if kept < len(small.shape):
        top = r.spare_top(op, "operand")
        put(r.layer(op, "Flatten", [small], top=top).flatten_param, axis=kept - 1)
        small = Blob(top, small.shape[:kept])
    layer = r.layer(op, "Scale" if op.type == "Mul" else "Bias", [large, small])
    put(layer.scale_param if op.type == "Mul" else layer.bias_param, axis=axis)


@OPERATIONS.of("Sum", "Max")
def _eltwise(op: Operation, r: OnnxReader) -> None:
    blobs = [r.blob(op, i) for i in range(len(op.node.input))]
    if len(blobs) < 2 or len({blob.shape for blob in blobs}) > 1:
        raise op.refusal(f"needs two or more blobs of one shape, got {[blob.shape for blob in blobs]}")
    p = r.layer(op, "Eltwise", blobs).eltwise_param
    put(p, operation=p.SUM if op.type == "Sum" else p.MAX)


# normalisation


@OPERATIONS.of("BatchNormalization")
def _batch_norm(op: Operation, r: OnnxReader) -> None:
    if op.get("training_mode", 0) or len([name for name in op.node.output if name]) > 1:
        raise op.refusal("only the inference form can be converted")
    scale, shift, mean, variance = (r.constant(op, i) for i in (1, 2, 3, 4))
    if scale is None or shift is None or mean is None or variance is None:
        raise op.refusal("needs constant scale, shift, mean and variance")
    x, statistics = r.blob(op), [mean, variance, np.ones(1, np.float32)]
    plain = bool((scale == 1).all() and (shift == 0).all())
    top = "" if plain else r.spare_top(op, "norm")
    p = r.layer(op, "BatchNorm", [x], statistics, top).batch_norm_param
    put(p, eps=op.get("epsilon", 1e-5))
    if not plain:
        r.layer(op, "Scale", [Blob(top, x.shape)], [scale, shift]).scale_param.bias_term = True


@OPERATIONS.of("LRN")
def _lrn(op: Operation, r: OnnxReader) -> None:
    p = r.layer(op, "LRN", [r.blob(op)]).lrn_param
    put(p, local_size=op.get("size", 1), alpha=op.get("alpha", 1e-4), beta=op.get("beta", 0.75), k=op.get("bias", 1.0))


@OPERATIONS.of("Softmax")
def _softmax(op: Operation, r: OnnxReader) -> None:
    x, new = r.blob(op), op.opset >= 13
    axis = op.get("axis", -1 if new else 1) % len(x.shape)
    if not new and axis != len(x.shape) - 1:
        raise op.refusal("before opset 13 a Softmax runs over all axes from its axis on, Caffe's over one")
    put(r.layer(op, "Softmax", [x]).softmax_param, axis=axis)


# shapes


@OPERATIONS.of("Concat")
def _concat(op: Operation, r: OnnxReader) -> None:
    blobs = [r.blob(op, i) for i in range(len(op.node.input))]
    put(r.layer(op, "Concat", blobs).concat_param, axis=op.get("axis", 1) % len(blobs[0].shape))


@OPERATIONS.of("Split")
def _split(op: Operation, r: OnnxReader) -> None:
    x, tops = r.blob(op), list(op.node.output)
    axis = op.get("axis", 0) % len(x.shape)
    sizes = r.integers(op, "split", 1)
    if sizes is None and x.shape[axis] % len(tops):
        raise op.refusal(f"{x.shape[axis]} cannot be split into {len(tops)} equal parts")
    layer = r.add("Slice", op.node.name or tops[0], [x.name], tops)
    put(layer.slice_param, axis=axis)
    layer.slice_param.slice_point.extend([int(point) for point in np.cumsum(sizes)[:-1]] if sizes else [])
    r.values.update((top, Blob(top, r.shape(op, i))) for i, top in enumerate(tops))


@OPERATIONS.of("Slice")
def _slice(op: Operation, r: OnnxReader) -> None:
    x, starts = r.blob(op), r.integers(op, "starts", 1)
    ends = as_sizes(op, np.asarray(op.attributes["ends"]) if "ends" in op.attributes else r.input(op, 2)).items
    axes = [axis % len(x.shape) for axis in r.integers(op, "axes", 3, range(len(starts)))]
    if set(r.integers(op, "steps", 4, [1])) != {1}:
        raise op.refusal("only steps of 1 can be converted")
    if any(isinstance(end, Dim) for end in ends):
        _crop(op, r, x, starts, ends, axes)
        return
    counted_back = any(min(start, end) < 0 and axis != 1 for axis, start, end in
                       zip(axes, starts, as_integers(op, np.asarray(ends)), strict=True))
    if counted_back and r.model.varying - {1}:
        raise op.refusal("positions counted from the end of an axis that may vary cannot be converted")
    parts = [(axis, *slice(start, end).indices(x.shape[axis])[:2]) for axis, start, end in
             zip(axes, starts, as_integers(op, np.asarray(ends)), strict=True)]
    parts = [part for part in parts if part[1:] != (0, x.shape[part[0]])]
    if not parts:
        r.alias(op)
    for i, (axis, start, stop) in enumerate(parts):
        x = _part(op, r, x, axis, start, stop, last=i == len(parts) - 1)


def _crop(
    op: Operation, r: OnnxReader, x: Blob, starts: Sequence[int], ends: Sequence[Any], axes: Sequence[int]
) -> None:
    """A Slice up to another blob's sizes."""
    wanted = [Dim(end.blob, axis, start) if isinstance(end, Dim) else None
              for axis, start, end in zip(axes, starts, ends, strict=True)]
    blobs = {end.blob for end in ends if isinstance(end, Dim)}
    if list(ends) != wanted or len(blobs) != 1 or list(axes) != list(range(axes[0], len(x.shape))) or min(starts) < 0:
        raise op.refusal("a Crop layer cuts all axes from one on, to the size of one other blob")
    reference = r.values[blobs.pop()]
    shape = (*x.shape[:axes[0]], *reference.shape[axes[0]:])
    p = r.layer(op, "Crop", [x, reference], shape=shape).crop_param
    put(p, axis=axes[0])
    p.offset.extend(starts if len(set(starts)) > 1 else starts[:1])


def _part(op: Operation, r: OnnxReader, x: Blob, axis: int, start: int, stop: int, last: bool) -> Blob:
    """A fixed range of one axis: a Slice layer whose other tops are silenced."""
    size = x.shape[axis]
    if not start < stop:
        raise op.refusal("selects nothing")
    top = op.node.output[0] if last else r.spare_top(op, f"axis{axis}")
    points = [point for point in (start, stop) if 0 < point < size]
    others = [r.spare_top(op, "rest") for _ in points]
    tops = [others[0], top, *others[1:]] if start else [top, *others]
    layer = r.add("Slice", op.node.name or top, [x.name], tops)
    put(layer.slice_param, axis=axis)
    layer.slice_param.slice_point.extend(points)
    r.add("Silence", f"{top}@silence", others, [])
    result = Blob(top, (*x.shape[:axis], stop - start, *x.shape[axis + 1:]))
    r.values[top] = result
    return result


@OPERATIONS.of("Flatten")
def _flatten(op: Operation, r: OnnxReader) -> None:
    x = r.blob(op)
    axis = op.get("axis", 1) % len(x.shape)
    if axis != 1:
        raise op.refusal("only 'axis: 1' can be converted")
    r.layer(op, "Flatten", [x])


@OPERATIONS.of("Reshape")
def _reshape(op: Operation, r: OnnxReader) -> None:
    x = r.blob(op)
    sizes = as_sizes(op, np.asarray(op.attributes["shape"]) if "shape" in op.attributes else r.input(op, 1))
    if op.get("allowzero", 0) and 0 in sizes.items:
        raise op.refusal("'allowzero' has no counterpart")
    kept, axes = 0, len(x.shape)  # axes at the end that stay, wherever they move
    while kept < min(axes, len(sizes.items)) and sizes.items[-kept - 1] == Dim(x.name, axes - kept - 1):
        kept += 1
    p = r.layer(op, "Reshape", [x]).reshape_param
    p.shape.dim.extend(sized(op, x, sizes.items[:len(sizes.items) - kept]))
    put(p, num_axes=axes - kept if kept else -1)


@OPERATIONS.of("Squeeze")
def _squeeze(op: Operation, r: OnnxReader) -> None:
    x, count = r.blob(op), len(r.blob(op).shape)
    ones = [axis for axis, size in enumerate(x.shape) if size == 1]
    axes = sorted(axis % count for axis in r.integers(op, "axes", 1, ones))
    if not axes or axes != list(range(axes[0], count)) or axes[0] < 1:
        raise op.refusal("only the last axes can be squeezed")
    r.layer(op, "Flatten", [x]).flatten_param.axis = axes[0] - 1


@OPERATIONS.of("Unsqueeze")
def _unsqueeze(op: Operation, r: OnnxReader) -> None:
    x, axes = r.blob(op), r.integers(op, "axes", 1, [])
    count = len(x.shape)
    if sorted(axis % (count + len(axes)) for axis in axes) != list(range(count, count + len(axes))):
        raise op.refusal("only axes behind the last one can be added")
    p = r.layer(op, "Reshape", [x]).reshape_param
    p.shape.dim.extend([1] * len(axes))
    p.axis, p.num_axes = -1, 0


@OPERATIONS.of("Tile")
def _tile(op: Operation, r: OnnxReader) -> None:
    x, repeats = r.blob(op), r.integers(op, "repeats", 1)
    used = [axis for axis, repeat in enumerate(repeats) if repeat != 1]
    if not used:
        r.alias(op)
        return
    if len(used) > 1:
        raise op.refusal("only one axis can be repeated")
    p = r.layer(op, "Tile", [x]).tile_param
    put(p, axis=used[0], tiles=repeats[used[0]])


@OPERATIONS.of("ArgMax")
def _arg_max(op: Operation, r: OnnxReader) -> None:
    x = r.blob(op)
    if not op.get("select_last_index", 0) or not op.get("keepdims", 1):
        raise op.refusal("Caffe's ArgMax keeps the axis and takes the last of equal values: 'keepdims' and "
                         "'select_last_index' must be 1")
    r.layer(op, "ArgMax", [x]).argmax_param.axis = op.get("axis", 0) % len(x.shape)
