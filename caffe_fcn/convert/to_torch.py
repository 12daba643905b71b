"""Caffe layers as lines of a PyTorch module, and the source that holds them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from caffe_fcn.layers.pooling import Method

from .graph import Graph, Node
from .meaning import (
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
)
from .table import Table
from .to_onnx import MAX, PROD
from .torch_builder import TorchBuilder

LAYERS = Table()

HELPERS = {
    "pool_max": '''
def pool_max(x, kernel, stride, before, after):
    """Maximum of windows; `before` and `after` the input (rows, columns) nothing counts."""
    x = F.pad(x, (before[1], after[1], before[0], after[0]), value=torch.finfo(x.dtype).min)
    return F.max_pool2d(x, kernel, stride)
''',
    "pool_average": '''
def pool_average(x, kernel, stride, before, after):
    """Mean of windows; of the zeros around the input as many as `before` count on both sides, those beyond do not."""
    beyond = (0, after[1] - before[1], 0, after[0] - before[0])
    x = F.pad(x, (before[1], before[1], before[0], before[0]))
    counts = F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), beyond), kernel, stride, divisor_override=1)
    return F.avg_pool2d(F.pad(x, beyond), kernel, stride, divisor_override=1) / counts
''',
    "crop": '''
def crop(x, like, axis, offsets):
    """Cut x to the size of `like` from `axis` on."""
    for i, offset in enumerate(offsets, axis):
        x = x.narrow(i, offset, like.shape[i])
    return x
''',
    "last_argmax": '''
def last_argmax(x, axis):
    """Index of the largest value along an axis, kept as size 1; of equal values the last one's."""
    return (x.shape[axis] - 1 - x.flip(axis).argmax(axis, keepdim=True)).to(x.dtype)
''',
}


class TorchModule(NamedTuple):
    """A net as Python source (class `Net`, function `load`) and its state dict."""

    source: str
    state: dict[str, np.ndarray]


def to_torch(graph: Graph) -> TorchModule:
    """A net as a PyTorch module. NotSupportedError for layers that it cannot express."""
    from . import forks  # noqa: F401  enters its layers into the table, whose functions it uses

    builder = TorchBuilder(graph)
    for node in graph.nodes:
        if node.type not in LAYERS:
            raise node.refusal("layers of this type cannot be converted to PyTorch")
        LAYERS[node.type](node, builder)
    return TorchModule(_source(graph, builder), builder.state)


def _source(graph: Graph, b: TorchBuilder) -> str:
    arguments = ", ".join(b.variable(value) for value in graph.inputs)
    values = {value.blob: b.variable(value) for node in graph.nodes for value in node.tops}
    indent = " " * 8
    return "\n".join([
        f'"""{_words(graph.name)}: a net from Caffe, converted by caffe_fcn.',
        "",
        *(f"    {b.variable(value)}  {value.shape}  {_words(value.blob)}" for value in graph.inputs),
        '"""', "", "import torch", "import torch.nn.functional as F", "from torch import nn", "",
        f"OUTPUTS = {[value.blob for value in graph.outputs]!r}", "",
        *("".join(f"{HELPERS[name]}\n" for name in b.helpers).splitlines()),
        "",
        "class Net(nn.Module):",
        f"    def __init__(self):\n{indent}super().__init__()",
        textwrap.indent("\n".join(b.init), indent),
        "",
        f"    def blobs(self, {arguments}):",
        f'{indent}"""All blobs by their names in Caffe."""',
        textwrap.indent("\n".join(b.steps), indent),
        f"{indent}return {{",
        *(f"{indent}    {name!r}: {variable}," for name, variable in values.items()),
        f"{indent}}}",
        "",
        f"    def forward(self, {arguments}):",
        f'{indent}"""The net\'s outputs by name."""',
        f"{indent}blobs = self.blobs({arguments})",
        f"{indent}return {{name: blobs[name] for name in OUTPUTS}}",
        "", "",
        "def load(weights):",
        '    """The net with the weights of a safetensors file, ready to run."""',
        "    from safetensors.torch import load_file", "",
        "    net = Net()",
        "    net.load_state_dict(load_file(weights))",
        "    return net.eval()",
        "",
    ])


def _number(value: float) -> str:
    """A float32 in the fewest digits, as an expression."""
    short = str(np.float32(value))
    return short if np.isfinite(value) else f"float('{short}')"


def _words(name: str) -> str:
    """A name that may stand in a docstring."""
    return repr(name)[1:-1].replace('"', "'")


@LAYERS.of("Convolution", "Deconvolution", "ConvolutionDepthwise", "DepthwiseConvolution")
def _convolution(node: Node, b: TorchBuilder) -> None:
    axes, g = check_spatial(node), node.layer.geometry  # type: ignore[attr-defined]
    transposed = "Transpose" if node.type == "Deconvolution" else ""
    fields = {"stride": (g.stride, 1), "padding": (g.pad, 0), "dilation": (g.dilation, 1)}
    words = [f"{word}={_short(sizes)}" for word, (sizes, default) in fields.items() if set(sizes) != {default}]
    words += [f"groups={g.group}"] if g.group > 1 else []
    words += ["bias=False"] if len(node.layer.blobs) == 1 else []
    channels, outputs = node.layer.channels, node.layer.num_output  # type: ignore[attr-defined]
    made = f"nn.Conv{transposed}{axes}d({', '.join([f'{channels}, {outputs}, {_short(g.kernel)}', *words])})"
    module = b.module(node, made, _weights(node))
    for i in range(len(node.tops)):
        b.set(node, f"{module}({b.x(node, i)})", i)


def _short(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _weights(node: Node) -> list[tuple[str, np.ndarray]]:
    return [(word, node.weight(i)) for i, word in enumerate(("weight", "bias")[:len(node.layer.blobs)])]


@LAYERS.of("InnerProduct")
def _inner_product(node: Node, b: TorchBuilder) -> None:
    p, axis = node.param.inner_product_param, node.axis(node.param.inner_product_param.axis)
    state = _weights(node)
    if p.transpose:
        state[0] = ("weight", np.ascontiguousarray(node.weight(0).T))
    bias = "" if p.bias_term else ", bias=False"
    inputs = math.prod(node.bottoms[0].shape[axis:])
    module = b.module(node, f"nn.Linear({inputs}, {p.num_output}{bias})", state)
    b.set(node, f"{module}({b.x(node)}.flatten({axis}))")


@LAYERS.of("Pooling")
def _pooling(node: Node, b: TorchBuilder) -> None:
    pool, maximum, x = pool_windows(node), node.param.pooling_param.pool == Method.MAX, b.x(node)
    if pool is None:
        b.set(node, f"{x}.{'amax' if maximum else 'mean'}((2, 3), keepdim=True)")
        return
    b.set(node, f"{b.helper('pool_max' if maximum else 'pool_average')}({x}, {_spelled(pool)})")


def _spelled(pool: Pool) -> str:
    return f"kernel={pool.kernel}, stride={pool.stride}, before={pool.before}, after={pool.after}"


@LAYERS.of("LRN")
def _lrn(node: Node, b: TorchBuilder) -> None:
    p, x = node.param.lrn_param, b.x(node)
    if p.norm_region == p.ACROSS_CHANNELS:
        numbers = ", ".join(_number(value) for value in (p.alpha, p.beta, p.k))
        b.set(node, f"F.local_response_norm({x}, {p.local_size}, {numbers})")
        return
    window = node.layer.response.window  # type: ignore[attr-defined]
    pool = Pool(window.kernel, window.stride, window.pad, window.pad)
    mean = f"{b.helper('pool_average')}({x} * {x}, {_spelled(pool)})"
    b.set(node, f"{x} * (1 + {_number(p.alpha)} * {mean}) ** {_number(-p.beta)}")


@LAYERS.of("Eltwise")
def _eltwise(node: Node, b: TorchBuilder) -> None:
    p, names = node.param.eltwise_param, [b.variable(value) for value in node.bottoms]
    if p.operation == MAX:
        expression = names[0]
        for name in names[1:]:
            expression = f"torch.maximum({expression}, {name})"
        b.set(node, expression)
        return
    if p.coeff:
        names = [name if c == 1 else f"{_number(c)} * {name}" for name, c in zip(names, p.coeff, strict=True)]
    b.set(node, (" * " if p.operation == PROD else " + ").join(names))


@LAYERS.of("Scale", "Bias")
def _scale(node: Node, b: TorchBuilder) -> None:
    learned, scale = len(node.bottoms) == 1, node.type == "Scale"
    shape = node.layer.blobs[0].shape if learned else node.bottoms[1].shape
    ones = (1,) * operand_place(node, shape)
    if learned:
        operand = b.parameter(node, 0, "weight" if scale else "bias", (*shape, *ones))
    else:
        operand = f"{b.x(node, 1)}[(...,{' None,' * len(ones)})]"
    expression = f"{b.x(node)} {'*' if scale else '+'} {operand}"
    if scale and node.param.scale_param.bias_term:
        expression += f" + {b.parameter(node, len(node.layer.blobs) - 1, 'bias', (*shape, *ones))}"
    b.set(node, expression)


@LAYERS.of("BatchNorm")
def _batch_norm(node: Node, b: TorchBuilder) -> None:
    mean, variance, eps = stored_statistics(node)
    batch_norm(node, b, [("running_mean", mean), ("running_var", variance)], f"eps={eps!r}, affine=False")


def batch_norm(node: Node, b: TorchBuilder, state: Sequence[tuple[str, np.ndarray]], words: str) -> None:
    """A batch normalisation module with this state. NotSupportedError for bottoms that it does not take."""
    shape = node.bottoms[0].shape
    if not 2 <= len(shape) <= 5:
        raise node.refusal("only bottoms of 2 to 5 axes can be converted")
    made = f"nn.BatchNorm{max(len(shape) - 2, 1)}d({shape[1]}, {words})"
    module = b.module(node, made, [*state, ("num_batches_tracked", np.array(0, np.int64))])
    b.set(node, f"{module}({b.x(node)})")


@LAYERS.of("MVN")
def _mvn(node: Node, b: TorchBuilder) -> None:
    p, x = node.param.mvn_param, b.x(node)
    if len(node.bottoms[0].shape) != 4:
        raise node.refusal("only bottoms of 4 axes can be converted")
    axes = (1, 2, 3) if p.across_channels else (2, 3)
    b.set(node, f"{x} - {x}.mean({axes}, keepdim=True)")
    if p.normalize_variance:
        y = b.variable(node.tops[0])
        b.set(node, f"{y} / (({y} * {y}).mean({axes}, keepdim=True).sqrt() + {_number(p.eps)})")


# shapes


@LAYERS.of("Crop")
def _crop(node: Node, b: TorchBuilder) -> None:
    axis, offsets = crop_offsets(node)
    b.set(node, f"{b.helper('crop')}({b.x(node)}, {b.x(node, 1)}, {axis}, {offsets})")


@LAYERS.of("Reshape", "Flatten")
def _reshape(node: Node, b: TorchBuilder) -> None:
    fold, x = folded(node), b.x(node)
    sizes = [f"{x}.shape[{i}]" for i in range(fold.start)]
    sizes += [str(size) if size else f"{x}.shape[{i}]" for i, size in enumerate(fold.dims, fold.start)]
    sizes += [f"{x}.shape[{i}]" for i in range(fold.stop, len(node.bottoms[0].shape))]
    b.set(node, f"{x}.reshape({', '.join(sizes) or '()'})")


@LAYERS.of("Concat")
def _concat(node: Node, b: TorchBuilder) -> None:
    names = ", ".join(b.variable(value) for value in node.bottoms)
    b.set(node, f"torch.cat([{names}], {joint_axis(node, node.param.concat_param, 'concat_dim')})")


@LAYERS.of("Slice")
def _slice(node: Node, b: TorchBuilder) -> None:
    axis, points = slices(node)
    names = ", ".join(b.variable(value) for value in node.tops)
    cut = points or f"{b.x(node)}.shape[{axis}] // {len(node.tops)}"
    way = "tensor_split" if points else "split"
    b.steps.append(f"{names}{',' if len(node.tops) == 1 else ''} = {b.x(node)}.{way}({cut}, {axis})")


@LAYERS.of("Tile")
def _tile(node: Node, b: TorchBuilder) -> None:
    p, repeats = node.param.tile_param, [1] * len(node.bottoms[0].shape)
    repeats[node.axis(p.axis)] = p.tiles
    b.set(node, f"{b.x(node)}.repeat({', '.join(map(str, repeats))})")


@LAYERS.of("Permute")
def _permute(node: Node, b: TorchBuilder) -> None:
    b.set(node, f"{b.x(node)}.permute{node.layer.order}")  # type: ignore[attr-defined]


@LAYERS.of("Silence")
def _silence(node: Node, b: TorchBuilder) -> None:
    """Nothing to do: no tops."""


@LAYERS.of("Parameter")
def _parameter(node: Node, b: TorchBuilder) -> None:
    b.set(node, b.parameter(node, 0, "value", node.layer.blobs[0].shape))


# values


SIMPLE = {"Dropout": "{x}", "Sigmoid": "torch.sigmoid({x})", "TanH": "torch.tanh({x})", "AbsVal": "{x}.abs()",
          "BNLL": "F.softplus({x}, threshold=40)", "ReLU6": "{x}.clamp(0, 6)"}


@LAYERS.of(*SIMPLE)
def _simple(node: Node, b: TorchBuilder) -> None:
    x = b.x(node)
    expression = SIMPLE[node.type].format(x=x)
    if expression != b.variable(node.tops[0]):  # in place, nothing happens
        b.set(node, expression)


@LAYERS.of("Softmax")
def _softmax(node: Node, b: TorchBuilder) -> None:
    b.set(node, f"{b.x(node)}.softmax({node.axis(node.param.softmax_param.axis)})")


@LAYERS.of("ReLU")
def _relu(node: Node, b: TorchBuilder) -> None:
    slope = node.param.relu_param.negative_slope
    b.set(node, f"F.leaky_relu({b.x(node)}, {_number(slope)})" if slope else f"F.relu({b.x(node)})")


@LAYERS.of("PReLU")
def _prelu(node: Node, b: TorchBuilder) -> None:
    shape = node.layer.blobs[0].shape or (1,)
    b.set(node, f"F.prelu({b.x(node)}, {b.parameter(node, 0, 'weight', shape)})")


@LAYERS.of("ELU")
def _elu(node: Node, b: TorchBuilder) -> None:
    b.set(node, f"F.elu({b.x(node)}, {_number(node.param.elu_param.alpha)})")


@LAYERS.of("Clip")
def _clip(node: Node, b: TorchBuilder) -> None:
    b.set(node, f"{b.x(node)}.clamp({_number(node.param.clip_param.min)}, {_number(node.param.clip_param.max)})")


@LAYERS.of("Swish")
def _swish(node: Node, b: TorchBuilder) -> None:
    b.set(node, f"{b.x(node)} * torch.sigmoid({_affine(b.x(node), node.param.swish_param.beta, 0)})")


def _affine(x: str, scale: float, shift: float) -> str:
    product = x if scale == 1 else f"{_number(scale)} * {x}"
    return f"{product} + {_number(shift)}" if shift else product


@LAYERS.of("Power")
def _power(node: Node, b: TorchBuilder) -> None:
    p, x, value = node.param.power_param, b.x(node), constant_power(node)
    if value is not None:
        b.set(node, f"torch.full_like({x}, {_number(value)})")
        return
    inner = _affine(x, p.scale, p.shift)
    b.set(node, inner if p.power == 1 else f"({inner}) ** {_number(p.power)}")


@LAYERS.of("Exp")
def _exp(node: Node, b: TorchBuilder) -> None:
    layer = node.layer
    inner = _affine(b.x(node), layer._inner, layer._shift)  # type: ignore[attr-defined]
    b.set(node, f"torch.exp({inner})")


@LAYERS.of("Log")
def _log(node: Node, b: TorchBuilder) -> None:
    p, base = node.param.log_param, node.layer._log_base  # type: ignore[attr-defined]
    logarithm = f"torch.log({_affine(b.x(node), p.scale, p.shift)})"
    b.set(node, logarithm if base == 1 else f"{logarithm} / {_number(base)}")


@LAYERS.of("Threshold")
def _threshold(node: Node, b: TorchBuilder) -> None:
    x = b.x(node)
    b.set(node, f"({x} > {_number(node.param.threshold_param.threshold)}).to({x}.dtype)")


REDUCTIONS = {"SUM": "{x}.sum({axes})", "ASUM": "{x}.abs().sum({axes})", "SUMSQ": "({x} * {x}).sum({axes})",
              "MEAN": "{x}.mean({axes})"}


@LAYERS.of("Reduction")
def _reduction(node: Node, b: TorchBuilder) -> None:
    p = node.param.reduction_param
    axes = tuple(range(node.axis(p.axis), len(node.bottoms[0].shape)))
    total = REDUCTIONS[p.ReductionOp.Name(p.operation)].format(x=b.x(node), axes=axes)
    b.set(node, _affine(total, p.coeff, 0))


@LAYERS.of("ArgMax")
def _arg_max(node: Node, b: TorchBuilder) -> None:
    axis, x, find = single_maximum(node), b.x(node), b.helper("last_argmax")
    if axis is None:
        ones = ", 1" * (len(node.tops[0].shape) - 1)
        b.set(node, f"{find}({x}.flatten(1), 1).reshape({x}.shape[0]{ones})")
    else:
        b.set(node, f"{find}({x}, {axis})")
