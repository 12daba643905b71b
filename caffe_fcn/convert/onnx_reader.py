"""From an ONNX model to a net: the operations in order, each as the layers that Caffe has for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import CaffeFcnError, FormatError, NetError, NotSupportedError
from caffe_fcn.net import Net
from caffe_fcn.proto import caffe_pb2

from .onnx_builder import import_onnx
from .onnx_file import OnnxModel, read_tensor
from .onnx_values import MAX_FOLDED, Blob, Dim, Padded, Shape, Sizes, as_integers, constant, fold
from .table import Table

OPERATIONS = Table()  # functions of (operation, reader)


class Operation(NamedTuple):
    """One node of the model, with its attributes as Python values."""

    node: Any
    attributes: dict[str, Any]
    place: str
    opset: int

    @property
    def type(self) -> str:
        """The operation's name."""
        return self.node.op_type

    def get(self, name: str, default: Any) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def refusal(self, reason: str) -> NotSupportedError:
        """The error that says why this operation cannot be converted."""
        return NotSupportedError(f"{self.place}: {reason}")


class Imported(NamedTuple):
    """What became of a model: the NetParameter to write, and the net built from it for the TEST phase, with weights."""

    message: Any
    net: Net


class OnnxReader:
    """Collects layers and their weights; the operations' functions call `blob`, `constant`, `layer`."""

    def __init__(self, model: OnnxModel) -> None:
        self.model = model
        self.net = caffe_pb2.NetParameter(name=model.graph.name)
        self.weights: list[Sequence[np.ndarray]] = []  # of each layer
        self.values: dict[str, Any] = dict(model.constants)
        self.outputs = {value.name for value in model.graph.output}
        self._names: set[str] = set()
        self._tops = {name for node in model.graph.node for name in node.output} | set(model.inputs)
        for name, shape in model.inputs.items():
            layer = self.add("Input", name, [], [name])
            layer.input_param.shape.add(dim=shape)
            self.values[name] = Blob(name, shape)

    def read(self) -> Imported:
        """All layers, and the net with its weights."""
        onnx = import_onnx("converting from ONNX")
        for i, node in enumerate(self.model.graph.node):
            place = f"{self.model.file}: node {i}"
            try:
                place = f"{self.model.file}: node '{node.name or i}' ({node.op_type})"
                attributes = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
                self._read(Operation(node, attributes, place, self.model.opset))
            except (ValueError, TypeError, LookupError, ArithmeticError) as error:  # by what the numbers in it are for
                if isinstance(error, CaffeFcnError):
                    raise
                raise FormatError(f"{place}: says something impossible: {error}") from error
        return Imported(self.net, self._build())

    def _read(self, op: Operation) -> None:
        missing = [name for name in op.node.input if name and name not in self.values]
        if missing:
            raise op.refusal(f"its input {missing[0]!r} is none that can be converted")
        inputs = [self.values[name] if name else None for name in op.node.input]
        if op.type == "Constant":
            self._constant(op)
        elif all(value is None or isinstance(value, np.ndarray) for value in inputs) and inputs:
            self._set(op, constant(op, inputs))
        elif op.type == "Shape" or any(isinstance(value, Sizes) for value in inputs[:1]) or (
                op.type in ("Add", "Concat") and any(isinstance(value, Sizes) for value in inputs)):
            self._set(op, [fold(op, inputs)])
        elif op.type in OPERATIONS:
            OPERATIONS[op.type](op, self)
        else:
            raise op.refusal("Caffe has no layer for this operation")

    def _constant(self, op: Operation) -> None:
        if "value" in op.attributes:
            value = read_tensor(import_onnx("converting from ONNX"), op.attributes["value"], op.place)
        else:
            numbers = [entry for name, entry in op.attributes.items()
                       if name in ("value_int", "value_ints", "value_float", "value_floats")]
            if not numbers:
                raise op.refusal("only numbers can be constants")
            value = np.asarray(numbers[0])
        self._set(op, [value])

    def _set(self, op: Operation, results: Sequence[Any]) -> None:
        self.values.update(zip(op.node.output, results, strict=False))

    # what the operations' functions use

    def input(self, op: Operation, index: int) -> Any:
        """An input's value; None if it is left out."""
        names = op.node.input
        return self.values[names[index]] if index < len(names) and names[index] else None

    def blob(self, op: Operation, index: int = 0) -> Blob:
        """An input that must be a blob."""
        value = self.input(op, index)
        if isinstance(value, Padded):
            raise op.refusal("Caffe pads only inside convolutions and poolings")
        if not isinstance(value, Blob):
            raise op.refusal(f"input {index} must not be a constant")
        return value

    def constant(self, op: Operation, index: int) -> np.ndarray | None:
        """An input that must be constant, as float32; None if it is left out."""
        value = self.input(op, index)
        if value is None:
            return None
        if not isinstance(value, np.ndarray):
            raise op.refusal(f"input {index} must be a constant (a weight of the file)")
        return value.astype(np.float32)

    def integers(self, op: Operation, name: str, index: int, default: Any = None) -> Any:
        """Whole numbers that older opsets give as an attribute and newer ones as an input."""
        if name in op.attributes:
            return list(op.attributes[name])
        value = self.input(op, index)
        return default if value is None else as_integers(op, value)

    def shape(self, op: Operation, index: int = 0) -> Shape:
        """The shape of a result."""
        onnx = import_onnx("converting from ONNX")
        types, data = {}, {}
        for name in filter(None, op.node.input):
            value = self.values[name]
            if isinstance(value, Sizes):
                value = self._at_given_sizes(value)
            if isinstance(value, np.ndarray):
                kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
                types[name] = onnx.helper.make_tensor_type_proto(kind, value.shape)
                if value.size <= MAX_FOLDED:
                    data[name] = onnx.numpy_helper.from_array(value, name)
            else:
                types[name] = onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, value.shape)
        try:
            schema = onnx.defs.get_schema(op.type, op.opset, "")
            found = onnx.shape_inference.infer_node_outputs(schema, op.node, types, data)
        except Exception as error:  # InferenceError, SchemaError
            raise op.refusal(f"the shape of its result cannot be worked out: {error}") from error
        dims = found[op.node.output[index]].tensor_type.shape.dim
        if not all(dim.HasField("dim_value") for dim in dims):
            raise op.refusal("the shape of its result cannot be worked out")
        if any(dim.dim_value < 1 for dim in dims):  # later inference, in C++, may end the process on these
            raise op.refusal(f"its result of shape {[dim.dim_value for dim in dims]} is empty")
        return tuple(dim.dim_value for dim in dims)

    def _at_given_sizes(self, sizes: Sizes) -> np.ndarray:
        shapes = {value.name: value.shape for value in self.values.values() if isinstance(value, Blob)}
        numbers = [shapes[item.blob][item.axis] + item.plus if isinstance(item, Dim) else item for item in sizes.items]
        return np.array(numbers[0] if sizes.scalar else numbers, np.int64)

    def unique(self, wish: str, taken: set[str]) -> str:
        """A name that is not taken, and then is."""
        name, count = wish, 1
        while name in taken:
            name, count = f"{wish}_{count}", count + 1
        taken.add(name)
        return name

    def spare_top(self, op: Operation, word: str) -> str:
        """A name for a blob that the model has no name for."""
        return self.unique(f"{op.node.output[0]}@{word}", self._tops)

    def add(self, type: str, name: str, bottoms: Sequence[str], tops: Sequence[str],
            weights: Sequence[np.ndarray] = ()) -> Any:
        """Add a layer; returns its LayerParameter, whose fields are then filled in."""
        layer = self.net.layer.add(name=self.unique(name, self._names), type=type, bottom=bottoms, top=tops)
        self.weights.append(weights)
        return layer

    def layer(self, op: Operation, type: str, bottoms: Sequence[Blob], weights: Sequence[np.ndarray] = (),
              top: str = "", shape: Shape | None = None) -> Any:
        """Add a layer for an operation; its top is the operation's first result unless `top` names another.

        `shape` is that of the result where it is known.
        """
        result = top or op.node.output[0]
        name = top or op.node.name or result
        layer = self.add(type, name, [blob.name for blob in bottoms], [result], weights)
        if not top:
            self.values[result] = Blob(result, shape or self.shape(op))
        return layer

    def alias(self, op: Operation) -> None:
        """The operation's result is its input."""
        blob = self.blob(op)
        if op.node.output[0] in self.outputs:
            self.layer(op, "Power", [blob])  # keeps the name of an output; computes nothing by default
        else:
            self.values[op.node.output[0]] = blob

    def _build(self) -> Net:
        missing = [name for name in self.outputs if not isinstance(self.values.get(name), Blob)]
        if missing:
            raise NotSupportedError(f"{self.model.file}: the output '{min(missing)}' is not computed from the inputs")
        try:
            net = Net(self.net, 1)
        except NetError as error:
            raise NotSupportedError(f"{self.model.file}: the net does not fit together in Caffe: {error}") from error
        weights = dict(zip((layer.name for layer in self.net.layer), self.weights, strict=True))
        for name, blobs in net.params.items():
            for blob, array in zip(blobs, weights[name], strict=True):
                if blob.data.size != array.size:
                    raise FormatError(f"{self.model.file}: layer '{name}' needs weights of the shape {blob.shape}, the "
                                      f"model has {array.shape}")
                blob.data[...] = array.reshape(blob.data.shape)
        return net


def sized(op: Operation, blob: Blob, items: Sequence[int | Dim]) -> list[int]:
    """Sizes as `dim` of a Reshape layer of this blob: 0 copies, -1 fills. NotSupportedError for other sizes."""
    dims: list[int] = []
    for i, item in enumerate(items):
        if not isinstance(item, Dim):
            dims.append(item)
        elif item == Dim(blob.name, i):
            dims.append(0)
        elif -1 not in items and -1 not in dims:
            dims.append(-1)
        else:
            raise op.refusal("a Reshape layer can work out one size only")
    return dims


def put(param: Any, **fields: Any) -> None:
    """Set the fields of a layer's parameters whose values are not their defaults."""
    for name, value in fields.items():
        if getattr(param, name) != value:
            setattr(param, name, value)
