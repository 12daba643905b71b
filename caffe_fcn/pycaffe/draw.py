"""Nets as graphs in Graphviz's language; pictures of them where the program `dot` is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from typing import Any

from ..errors import NotSupportedError
from ..formats.atomic import atomic_write
from ..proto import caffe_pb2
from .signatures import bare_signatures

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
_COLORS = {"Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF"}
_TEXT_FORMATS = ("dot", "gv", "raw")


class Graph:
    """A directed graph: nodes with their styles, labelled edges."""

    def __init__(self, name: str, rankdir: str) -> None:
        self.name, self.rankdir = name, rankdir
        self.nodes: dict[str, tuple[str, dict[str, str]]] = {}  # by key: label, style
        self.edges: list[tuple[str, str, str]] = []  # keys of source and target, label

    def to_string(self) -> str:
        """The graph in the DOT language."""
        lines = [f"digraph {_quoted(self.name)} {{", f"rankdir={self.rankdir};"]
        for label, style in self.nodes.values():
            text = ", ".join(f"{key}={_quoted(value)}" for key, value in sorted(style.items()))
            lines.append(f"{_quoted(label)} [{text}];" if style else f"{_quoted(label)};")
        for source, target, label in self.edges:
            ends = f"{_quoted(self.nodes[source][0])} -> {_quoted(self.nodes[target][0])}"
            lines.append(f"{ends}  [label={label}];")
        return "\n".join([*lines, "}", ""])

    def create(self, format: str = "png") -> bytes:
        """The graph as a file of a format that Graphviz writes; DOT text ("dot", "gv") needs no Graphviz.

        Raises NotSupportedError where Graphviz is needed and not installed, or does not know the format.
        """
        text = self.to_string().encode()
        if format in _TEXT_FORMATS:
            return text
        program = shutil.which("dot")
        if program is None:
            raise NotSupportedError(f"a picture of the format '{format}' needs the program `dot` of Graphviz on the "
                                    "PATH; install it, or write a .dot file")
        done = subprocess.run([program, f"-T{format}"], input=text, capture_output=True, check=False)
        if done.returncode:
            raise NotSupportedError(f"dot cannot write '{format}': {done.stderr.decode(errors='replace').strip()}")
        return done.stdout


def _quoted(name: str) -> str:
    """A name as DOT takes it: in quotes unless it is a plain word or quoted already."""
    if re.fullmatch(r"[A-Za-z_]\w*|\".*\"", name, re.ASCII | re.DOTALL):
        return name
    return '"' + name.replace('"', r"\"") + '"'


def get_pooling_types_dict() -> dict[int, str]:
    """Names of the pooling methods by number."""
    return {number: name for name, number in caffe_pb2.PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: Any) -> str:
    """What the edges from a layer to its tops say: the number of outputs or the batch size."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: Any) -> tuple[float, float] | None:
    """lr_mult of weights and bias of a layer that learns; None for other types."""
    if layer.type not in ("Convolution", "Deconvolution", "InnerProduct"):
        return None
    given = [spec.lr_mult for spec in layer.param]
    first, second = [*given, 1.0, 1.0][:2]
    return first, second


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """The quoted text of a layer's node: name, type, main parameters; on one line where `rankdir` is TB or BT.

    display_lrm  add the learning rate multipliers
    """
    parts = [layer.name]
    if layer.type in ("Convolution", "Deconvolution"):
        p = layer.convolution_param
        kernel, stride, pad = ((list(values) or [default])[0] for values, default in
                               ((p.kernel_size, 1), (p.stride, 1), (p.pad, 0)))
        parts += [f"({layer.type})", f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"]
    elif layer.type == "Pooling":
        pool = layer.pooling_param
        parts += [f"(Pooling {get_pooling_types_dict()[pool.pool]})", f"kernel size: {pool.kernel_size}",
                  f"stride: {pool.stride}", f"pad: {pool.pad}"]
    else:
        parts.append(f"({layer.type})")
    rates = get_layer_lr_mult(layer) if display_lrm else None
    if rates is not None:
        parts.append(f"lr mult: {rates[0]}, {rates[1]}")
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    return f'"{separator.join(parts)}"'


def choose_color_by_layertype(layertype: str) -> str:
    """The fill colour of a type's nodes."""
    return _COLORS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: Any, rankdir: str, label_edges: bool = True, phase: int | None = None, display_lrm: bool = False
) -> Graph:
    """The graph of a NetParameter: layers, blobs, and edges between them.

    rankdir      LR, RL, TB or BT
    label_edges  say the number of outputs on the edges
    phase        leave out the layers of the other phase

    Raises ValueError for a layer with include and exclude rules.
    """
    graph = Graph(caffe_net.name or "Net", rankdir)
    for layer in _in_phase(caffe_net.layer, phase):
        node = f"{layer.name}_{layer.type}"
        in_place = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
        style = NEURON_LAYER_STYLE if in_place else {
            **LAYER_STYLE_DEFAULT, "fillcolor": choose_color_by_layertype(layer.type)}
        graph.nodes[node] = (get_layer_label(layer, rankdir, display_lrm), dict(style))
        for blob in layer.bottom:
            graph.nodes[f"{blob}_blob"] = (blob, dict(BLOB_STYLE))
            graph.edges.append((f"{blob}_blob", node, '""'))
        for blob in layer.top:
            graph.nodes[f"{blob}_blob"] = (blob, {})  # plain until a layer takes it
            graph.edges.append((node, f"{blob}_blob", get_edge_label(layer) if label_edges else '""'))
    return graph


def _in_phase(layers: Iterable[Any], phase: int | None) -> Iterable[Any]:
    for layer in layers:
        if layer.include and layer.exclude:
            raise ValueError(f"layer '{layer.name}' has include rules and exclude rules; give one kind only")
        included = any(_meets(rule, phase) for rule in layer.include) if layer.include else not any(
            _meets(rule, phase) for rule in layer.exclude)
        if phase is None or included:
            yield layer


def _meets(rule: Any, phase: int | None) -> bool:
    return not rule.HasField("phase") or rule.phase == phase


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The picture of a NetParameter as the bytes of a file of the format `ext`; see `Graph.create`."""
    return get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm).create(format=ext)


def draw_net_to_file(
    caffe_net: Any, filename: str, rankdir: str = "LR", phase: int | None = None, display_lrm: bool = False
) -> None:
    """Write the picture of a NetParameter to a file, whose ending names the format."""
    picture = draw_net(caffe_net, rankdir, filename.rpartition(".")[2], phase, display_lrm)
    with atomic_write(filename) as file:
        file.write(picture)


bare_signatures(__name__)
