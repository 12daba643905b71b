"""What converters read of a net: its layers with a name of its own for every value (SSA), and which axes may vary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import NetError, NotSupportedError
from caffe_fcn.layers.base import Layer
from caffe_fcn.net import Net

Shape = tuple[int, ...]
VARYING = (0, 2, 3)  # the axes of inputs that are probed: batch, height, width


class Value(NamedTuple):
    """What one layer writes to one blob; a blob that layers change in place has several, the last bears its name."""

    name: str
    blob: str
    shape: Shape


class Node(NamedTuple):
    """A layer between values. `layer` is the engine's object: its parameters are read and checked already."""

    file: str
    name: str
    layer: Layer
    bottoms: tuple[Value, ...]
    tops: tuple[Value, ...]

    @property
    def type(self) -> str:
        """The type as the prototxt has it."""
        return self.layer.type

    @property
    def param(self) -> Any:
        """The LayerParameter."""
        return self.layer.param

    def weight(self, index: int) -> np.ndarray:
        """A parameter's values, float32."""
        return np.asarray(self.layer.blobs[index].data, np.float32)

    def axis(self, axis: int) -> int:
        """An axis of the first bottom, counted from the front."""
        return axis if axis >= 0 else axis + len(self.bottoms[0].shape)

    def refusal(self, reason: str) -> NotSupportedError:
        """The error that says why this layer cannot be converted."""
        return NotSupportedError(f"{self.file}: layer '{self.name}' ({self.type}): {reason}")


class Graph(NamedTuple):
    """A net as converters see it. Split layers are gone: their tops are their bottom's value.

    varying  the axes of the inputs (0 batch, 2 height, 3 width) that may change without the net refusing
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    varying: frozenset[int]


def read_graph(net: Net) -> Graph:
    """The graph of a net built for the TEST phase. NotSupportedError for layers that bring data in by themselves."""
    wiring, file = net._wiring, net._file or "NetParameter"
    current: dict[int, Value] = {}
    nodes: list[Node] = []
    inputs: list[Value] = []
    writes = Counter(i for tops in wiring.top_ids for i in tops)
    for k, layer in enumerate(wiring.layers):
        bottoms = tuple(current[i] for i in wiring.bottom_ids[k])
        if layer.type == "Split":
            current.update(dict.fromkeys(wiring.top_ids[k], bottoms[0]))
            continue
        for i in wiring.top_ids[k]:
            writes[i] -= 1
            blob = wiring.blob_names[i]
            name = f"{blob}@{wiring.layer_names[k]}" if writes[i] else blob
            current[i] = Value(name, blob, wiring.blobs[i].shape)
        tops = tuple(current[i] for i in wiring.top_ids[k])
        node = Node(file, wiring.layer_names[k], layer, bottoms, tops)
        if layer.type == "Input":
            inputs += tops
        elif not bottoms and layer.type != "Parameter":
            raise node.refusal("brings its own data: convert the deploy net, whose data comes from Input layers")
        else:
            nodes.append(node)
    empty = [value.blob for value in current.values() if 0 in value.shape]
    if empty:
        raise NetError(f"{file}: the blob '{empty[0]}' is empty; convert the net at a size at which no blob is")
    outputs = dict.fromkeys(value for value in (current[i] for i in wiring.outputs) if value not in inputs)
    if not inputs or not outputs:
        raise NetError(f"{file}: a net to convert needs an input and an output that depends on it")
    return Graph(wiring.net.name or "net", tuple(nodes), tuple(inputs), tuple(outputs), _varying(net, inputs))


def reshape_inputs(net: Net, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Give the inputs other shapes; False if the net cannot take them."""
    for name, shape in shapes.items():
        net.blobs[name].reshape(*shape)
    try:
        net.reshape()
    except NetError:
        return False
    return True


def _varying(net: Net, inputs: Sequence[Value]) -> frozenset[int]:
    """The axes along which all inputs may grow together."""
    found = set()
    for axis in VARYING:
        shapes = {value.name: list(value.shape) for value in inputs}
        for shape in shapes.values():
            if axis < len(shape):
                shape[axis] = 2 * shape[axis] + 1
        if any(axis < len(shape) for shape in shapes.values()) and reshape_inputs(net, shapes):
            found.add(axis)
    if not reshape_inputs(net, {value.name: value.shape for value in inputs}):
        raise NetError("the net does not take its own shape again")
    return frozenset(found)


def run(net: Net, graph: Graph, arrays: Mapping[str, np.ndarray]) -> Iterator[tuple[Value, np.ndarray]]:
    """Run the net layer by layer; every value of the graph in order (valid until the next one)."""
    reshape_inputs(net, {name: array.shape for name, array in arrays.items()})
    for name, array in arrays.items():
        net.blobs[name].data[...] = array
    nodes = iter(graph.nodes)
    for i, layer in enumerate(net._wiring.layers):
        net._forward(i, i)
        if layer.type not in ("Split", "Input"):
            yield from zip(next(nodes).tops, (blob.data for blob in net._wiring.tops[i]), strict=True)
