"""Comparing a converted net with the engine, value by value, at more than one input size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from caffe_fcn.errors import CaffeFcnError, FormatError, NotSupportedError
from caffe_fcn.memory import require_memory
from caffe_fcn.net import Net

from .graph import Graph, Shape, reshape_inputs, run

if TYPE_CHECKING:
    from .to_torch import TorchModule

TOLERANCE = 1e-4
SPREAD = 10.0  # standard deviation of the random inputs
Arrays = dict[str, np.ndarray]
Runner = Callable[[Arrays], Mapping[str, np.ndarray]]


class ConversionError(CaffeFcnError, ArithmeticError):
    """A converted net whose numbers are not the original's."""


class Difference(NamedTuple):
    """The largest difference of one blob, and what it is of the blob's largest value."""

    blob: str
    shape: Shape
    largest: float
    relative: float


class Report(NamedTuple):
    """Differences of all blobs at one size of the inputs; `str()` of it is a table."""

    inputs: dict[str, Shape]
    differences: list[Difference]

    @property
    def worst(self) -> Difference:
        """The blob with the largest relative difference (NaN counts as the largest)."""
        return max(self.differences, key=lambda d: np.inf if np.isnan(d.relative) else d.relative)

    def __str__(self) -> str:
        sizes = ", ".join(f"{name} {_spelled(shape)}" for name, shape in self.inputs.items())
        width = max(len(d.blob) for d in self.differences)
        lines = [f"{d.blob:<{width}}  {_spelled(d.shape):>18}  {d.largest:9.2e}  {d.relative:9.2e}"
                 for d in self.differences]
        return "\n".join([f"with {sizes}: largest difference per blob, absolute and of its largest value", *lines])


def compare(net: Net, graph: Graph, runner: Runner, tolerance: float = TOLERANCE,
            sizes: Sequence[Mapping[str, Shape]] | None = None) -> list[Report]:
    """Run net and `runner` on random inputs of two sizes (one if the net takes no other).

    `runner` maps inputs by name to the values that it knows, by the names of the graph's values; outputs must be
    among them. Raises ConversionError for a relative difference above `tolerance`, or another shape, and
    BlobMemoryError for inputs that cannot fit.
    """
    reports = []
    for shapes in sizes or list(input_sizes(net, graph)):
        needed = 3 * 4 * sum(math.prod(shape) for shape in shapes.values())  # float64, then float32
        require_memory(needed, f"random inputs of {', '.join(f'{name} {_spelled(shapes[name])}' for name in shapes)}")
        random = np.random.default_rng(1)
        inputs = {name: (SPREAD * random.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
        found = runner(inputs)
        missing = [value.name for value in graph.outputs if value.name not in found]
        if missing:
            raise ConversionError(f"the converted net lacks the outputs {missing}")
        report = Report(dict(shapes), [_difference(value.name, array, found[value.name])
                                       for value, array in run(net, graph, inputs) if value.name in found])
        worst = report.worst
        if not worst.relative <= tolerance:
            raise ConversionError(f"'{worst.blob}' differs by {worst.relative:.2e} of its largest value, above the "
                                  f"tolerance of {tolerance:.0e}\n{report}")
        reports.append(report)
    return reports


def input_sizes(net: Net, graph: Graph) -> Iterator[dict[str, Shape]]:
    """The inputs' shapes as the net has them, then others if it takes them: smaller ones, or else larger ones."""
    own = {value.name: value.shape for value in graph.inputs}
    yield own
    for resized in (lambda size: size * 5 // 8 + 1, lambda size: size + size // 8 + 1):
        other = {name: tuple(_other(axis, size, resized) if axis in graph.varying else size
                             for axis, size in enumerate(shape)) for name, shape in own.items()}
        if other != own and reshape_inputs(net, other) and all(blob.count for blob in net.blobs.values()):
            yield other
            return


def _other(axis: int, size: int, resized: Callable[[int], int]) -> int:
    return size + 1 if axis == 0 else resized(size) + (axis == 3)


def _difference(name: str, ours: np.ndarray, theirs: np.ndarray) -> Difference:
    if ours.shape != theirs.shape:
        raise ConversionError(f"'{name}' has the shape {ours.shape} here and {theirs.shape} in the converted net")
    if not ours.size:
        return Difference(name, ours.shape, 0.0, 0.0)
    with np.errstate(invalid="ignore", over="ignore"):
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))  # infinities and NaN may agree, too
        gaps = np.where(same, 0, np.abs(ours.astype(np.float64) - theirs))
        largest = float(gaps.max())
        finite = np.abs(ours[np.isfinite(ours)])
        scale = float(finite.max()) if finite.size else 0.0
    return Difference(name, ours.shape, largest, largest / scale if scale else np.inf if largest else 0.0)


def onnx_runner(model: bytes, file: str, names: Sequence[str] = ()) -> Runner:
    """Run an ONNX model with ONNX Runtime; besides its outputs the values of these names are returned.

    Raises NotSupportedError without onnxruntime, FormatError for a model that it refuses to load; the runner raises
    ConversionError for inputs that it refuses.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise NotSupportedError("checking an ONNX model needs the package onnxruntime: pip install "
                                "caffe_fcn[convert], or convert without the check") from error
    from onnx import ModelProto

    message = ModelProto.FromString(model)
    present = {name for node in message.graph.node for name in node.output}
    outputs = [value.name for value in message.graph.output]
    outputs += [name for name in dict.fromkeys(names) if name in present and name not in outputs]
    for name in outputs[len(message.graph.output):]:
        message.graph.output.add(name=name)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it has to say is in its exceptions
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # node by node, as written
    try:
        session = onnxruntime.InferenceSession(message.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base but this
        raise FormatError(f"{file}: ONNX Runtime does not load the model: {error}") from error

    def run_model(inputs: Arrays) -> Mapping[str, np.ndarray]:
        try:
            return dict(zip(outputs, session.run(outputs, inputs), strict=True))
        except Exception as error:
            raise ConversionError(f"{file}: ONNX Runtime fails with inputs of {_shapes(inputs)}: {error}") from error

    return run_model


def torch_runner(module: TorchModule, file: str) -> Runner:
    """Run a converted PyTorch module; all blobs are returned. NotSupportedError without torch."""
    try:
        import torch
    except ImportError as error:
        raise NotSupportedError("checking a PyTorch module needs the package torch: install it, or convert without "
                                "the check") from error
    namespace: dict[str, Any] = {"__name__": "converted"}
    exec(compile(module.source, file, "exec"), namespace)  # written by us a moment ago
    net = namespace["Net"]()
    net.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in module.state.items()})
    net.eval()

    def run_module(inputs: Arrays) -> Mapping[str, np.ndarray]:
        try:
            with torch.no_grad():
                blobs = net.blobs(*map(torch.from_numpy, inputs.values()))
        except RuntimeError as error:
            raise ConversionError(f"{file}: PyTorch fails with inputs of {_shapes(inputs)}: {error}") from error
        return {name: tensor.detach().numpy() for name, tensor in blobs.items()}

    return run_module


def _shapes(arrays: Arrays) -> dict[str, Shape]:
    return {name: array.shape for name, array in arrays.items()}


def _spelled(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "scalar"
