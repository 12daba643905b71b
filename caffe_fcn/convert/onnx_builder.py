"""Putting an ONNX model together: nodes and constants with unique names, then the checked bytes."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from caffe_fcn.errors import NotSupportedError

from .graph import Graph, Node, Value

OPSET, IR_VERSION = 18, 8  # read by ONNX Runtime 1.14 and later
SIZE_LIMIT = 2**31 - 1  # of a protobuf message
AXIS_NAMES = {0: "batch", 2: "height", 3: "width"}
SHAPE_KEY = "input_shape:"  # + input: the shape that the net was built for


def import_onnx(purpose: str) -> ModuleType:
    """The package onnx, which only converting needs; NotSupportedError names the extra."""
    try:
        import onnx
    except ImportError as error:
        raise NotSupportedError(f"{purpose} needs the package onnx: pip install caffe_fcn[convert]") from error
    return onnx


class OnnxBuilder:
    """Collects the nodes of one model; layers' functions call `add`, `constant` and `weight`."""

    def __init__(self, graph: Graph) -> None:
        self.onnx = import_onnx("converting to ONNX")
        self.graph = graph
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._taken = {value.name for node in graph.nodes for value in (*node.bottoms, *node.tops)}
        self._weights: dict[tuple[int, tuple[int, ...]], str] = {}
        self._size = 0

    def unique(self, wish: str) -> str:
        """A name that nothing has yet."""
        name, count = wish, 1
        while name in self._taken:
            name, count = f"{wish}_{count}", count + 1
        self._taken.add(name)
        return name

    def add(self, node: Node, op: str, inputs: Sequence[str], top: int | None = None, **attributes: Any) -> str:
        """Add an operation; its result is the layer's top of that number, or a value of its own. Returns its name."""
        result = self.unique(f"{node.name}/{op}") if top is None else node.tops[top].name
        name = node.name if top == 0 else self.unique(f"{node.name}:{op}")
        self.nodes.append(self.onnx.helper.make_node(op, list(inputs), [result], name, **attributes))
        return result

    def add_many(self, node: Node, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """Add an operation whose results are all tops of the layer."""
        tops = [value.name for value in node.tops]
        self.nodes.append(self.onnx.helper.make_node(op, list(inputs), tops, node.name, **attributes))

    def constant(self, node: Node, word: str, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant of the layer; returns its name."""
        array = np.ascontiguousarray(values, dtype).reshape(np.shape(values))
        self._size += array.nbytes
        if self._size > SIZE_LIMIT:
            raise NotSupportedError(f"{node.file}: the weights up to layer '{node.name}' take more than the 2 GB that "
                                    "an ONNX file can hold")
        name = self.unique(f"{node.name}.{word}")
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def integers(self, node: Node, word: str, values: Sequence[int] | int) -> str:
        """Add a constant of int64: axes, sizes, positions."""
        return self.constant(node, word, values, np.int64)

    def weight(self, node: Node, index: int, word: str, shape: tuple[int, ...] | None = None) -> str:
        """A parameter of the layer as a constant, once for all layers that share it; `shape` rearranges its axes."""
        blob = node.layer.blobs[index]
        shape = blob.shape if shape is None else shape
        key = id(blob.memories[0]), shape
        if key not in self._weights:
            self._weights[key] = self.constant(node, word, node.weight(index).reshape(shape))
        return self._weights[key]

    def model(self) -> bytes:
        """The finished model, checked by onnx, as bytes. The inputs' varying axes have names instead of sizes."""
        helper = self.onnx.helper
        several = len(self.graph.inputs) > 1
        inputs = [self._declared(value, f"{value.name}_" if several else "") for value in self.graph.inputs]
        outputs = [helper.make_tensor_value_info(value.name, self.onnx.TensorProto.FLOAT, [None] * len(value.shape))
                   for value in self.graph.outputs]
        graph = helper.make_graph(self.nodes, self.graph.name, inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="caffe_fcn")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, {SHAPE_KEY + value.name: "x".join(map(str, value.shape))
                                       for value in self.graph.inputs})
        self.onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()

    def _declared(self, value: Value, prefix: str) -> Any:
        axes = [f"{prefix}{AXIS_NAMES[axis]}" if axis in self.graph.varying else size
                for axis, size in enumerate(value.shape)]
        return self.onnx.helper.make_tensor_value_info(value.name, self.onnx.TensorProto.FLOAT, axes)
