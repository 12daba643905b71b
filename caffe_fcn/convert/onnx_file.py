"""Reading an ONNX file: parsed, checked, with the sizes of its inputs settled."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from caffe_fcn.errors import FormatError, NotSupportedError, ShapeError
from caffe_fcn.formats.files import map_file

from .onnx_builder import SHAPE_KEY, import_onnx
from .onnx_values import Shape

OLDEST = 7  # opset


class OnnxModel(NamedTuple):
    """A checked model.

    constants  initialisers by name;  inputs  name -> shape;  data  the model's bytes
    varying    axes of the inputs whose sizes the model leaves open
    """

    file: str
    graph: Any
    opset: int
    constants: dict[str, np.ndarray]
    inputs: dict[str, Shape]
    varying: frozenset[int]
    data: bytes


def read_onnx(path: str | os.PathLike[str], input_shapes: Mapping[str, Shape] | None = None) -> OnnxModel:
    """Read a model. `input_shapes` gives the shapes of inputs whose file leaves sizes open.

    Raises MissingFileError, FileAccessError, FormatError for a file that is no valid model, NotSupportedError for
    weights in other files, old opsets and custom operations, ShapeError for open or impossible sizes.
    """
    onnx, name = import_onnx(f"reading '{os.fspath(path)}'"), os.fspath(path)
    data = bytes(map_file(path))
    try:
        model = onnx.ModelProto.FromString(data)
    except Exception as error:  # protobuf's DecodeError
        raise FormatError(f"{name}: is not an ONNX model: {error}") from error
    if not model.ir_version or not model.graph.node:
        raise FormatError(f"{name}: is not an ONNX model: it has no graph")
    if any(isinstance(text, bytes) for text in _names(model.graph)):  # how protobuf gives what is no text
        raise FormatError(f"{name}: is not a valid ONNX model: a name in it is not UTF-8 text")
    opset = _opset(model, name)
    constants = _constants(onnx, model, name)
    inputs = _inputs(model, constants, dict(input_shapes or {}), name)
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # ValidationError, and what broken fields make protobuf raise
        raise FormatError(f"{name}: is not a valid ONNX model: {error}") from error
    fixed = {axis for value in model.graph.input if value.name in inputs
             for axis, dim in enumerate(value.type.tensor_type.shape.dim) if dim.HasField("dim_value")}
    varying = frozenset(range(max(map(len, inputs.values())))) - fixed
    return OnnxModel(name, model.graph, opset, constants, inputs, varying, data)


def _names(graph: Any) -> Iterator[str | bytes]:
    yield graph.name
    for part in (graph.input, graph.output, graph.initializer, graph.node):
        for entry in part:
            yield entry.name
    for node in graph.node:
        yield from (node.op_type, node.domain, *node.input, *node.output)


def _opset(model: Any, name: str) -> int:
    foreign = {node.domain for node in model.graph.node} - {"", "ai.onnx"}
    if foreign:
        raise NotSupportedError(f"{name}: has custom operations of {', '.join(sorted(foreign))}, which Caffe cannot "
                                "express")
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not versions or versions[0] < OLDEST:
        raise NotSupportedError(f"{name}: its opset is {versions[0] if versions else 'not given'}, at least {OLDEST} "
                                "is needed: convert it with onnx.version_converter first")
    return versions[0]


def _constants(onnx: Any, model: Any, name: str) -> dict[str, np.ndarray]:
    if model.graph.sparse_initializer:
        raise NotSupportedError(f"{name}: has sparse weights; make them dense first")
    result = {}
    for tensor in model.graph.initializer:
        result[tensor.name] = read_tensor(onnx, tensor, f"{name}: weight '{tensor.name}'")
    return result


def read_tensor(onnx: Any, tensor: Any, where: str) -> np.ndarray:
    """The values of a TensorProto. Raises FormatError, NotSupportedError, beginning with `where`."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise NotSupportedError(f"{where} lies in another file; save the model in one file first")
    try:
        return np.asarray(onnx.numpy_helper.to_array(tensor))
    except Exception as error:  # ValueError, TypeError, KeyError ... by the kind of damage
        raise FormatError(f"{where}: is damaged: {error}") from error


def _inputs(model: Any, constants: Mapping[str, Any], given: dict[str, Shape], name: str) -> dict[str, Shape]:
    recorded = {entry.key[len(SHAPE_KEY):]: entry.value for entry in model.metadata_props
                if entry.key.startswith(SHAPE_KEY)}
    result = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        dims = list(value.type.tensor_type.shape.dim)
        sizes = [dim.dim_value if dim.HasField("dim_value") else 0 for dim in dims]
        wanted = given.pop(value.name, None) or _recorded(recorded.get(value.name, ""), len(sizes))
        if wanted is None:
            sizes[:1] = [sizes[0] or 1] if sizes else []  # an open batch
            if min(sizes, default=0) < 1:
                raise ShapeError(f"{name}: the sizes of the input '{value.name}' are open: give them, for example "
                                 f"--input-shape {value.name}=1x3x224x224")
        elif len(wanted) != len(sizes) or any(size not in (0, w) for size, w in zip(sizes, wanted, strict=True)):
            raise ShapeError(f"{name}: the input '{value.name}' has the sizes {sizes} (0: open), which {wanted} does "
                             "not fit")
        result[value.name] = tuple(wanted or sizes)
    if given:
        raise ShapeError(f"{name}: has no inputs {sorted(given)}, but {sorted(result)}")
    if not result:
        raise NotSupportedError(f"{name}: has no inputs")
    return result


def _recorded(text: str, axes: int) -> Shape | None:
    sizes = text.split("x")
    fits = len(sizes) == axes and all(size.isdecimal() and int(size) for size in sizes)
    return tuple(map(int, sizes)) if fits else None

