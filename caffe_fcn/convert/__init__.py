"""Nets and weights to and from other formats: ONNX, PyTorch, HDF5, .npz, .safetensors.

Every conversion of a net is compared with the engine, value by value, before its files are written.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from caffe_fcn.errors import NetError, NotSupportedError, WeightsError
from caffe_fcn.formats import caffemodel
from caffe_fcn.formats.atomic import atomic_write
from caffe_fcn.formats.files import check_apart
from caffe_fcn.net import Net
from caffe_fcn.proto.printer import to_text

from .arrays import holds_blobs, read_arrays, write_npz, write_safetensors
from .check import TOLERANCE, ConversionError, Difference, Report, Runner, compare, onnx_runner, torch_runner
from .graph import Graph, Shape, read_graph, reshape_inputs
from .names import fill, read_map

if TYPE_CHECKING:
    from .to_torch import TorchModule

__all__ = ["ENDINGS", "ConversionError", "Difference", "Report", "convert", "convert_from_onnx"]

logger = logging.getLogger("caffe_fcn")
PathLike = str | os.PathLike[str]
ENDINGS = {".onnx": "onnx", ".py": "torch", ".npz": "npz", ".safetensors": "safetensors", ".h5": "hdf5",
           ".hdf5": "hdf5", ".caffemodel": "caffemodel"}


def convert(
    net_file: PathLike,
    weights: PathLike,
    out: PathLike,
    to: str | None = None,
    names: PathLike | None = None,
    input_shapes: Mapping[str, Shape] | None = None,
    check: bool = True,
    tolerance: float = TOLERANCE,
) -> list[Report]:
    """Convert a deploy net with its weights (caffemodel, HDF5, .npz, .safetensors) to the format of `out`'s ending.

    to            the format instead of the ending: onnx, torch, npz, safetensors, hdf5, caffemodel
    names         name map in JSON (`names.read_map`) for weights whose arrays are named otherwise
    input_shapes  input -> shape, instead of those of the prototxt
    tolerance     largest relative difference (of a blob's largest value) that is accepted

    PyTorch: `out` is the module's source, its state dict goes beside it, ending in .safetensors.
    Returns the differences at each size checked; none for formats of weights alone, or where the package to run the
    result is missing (a warning is logged then). Files are written, atomically, only after the check.

    Raises ConversionError for too large a difference, NotSupportedError naming the layer that cannot be converted,
    and what reading the net and the weights raises.
    """
    kind = to or _ending(out)
    beside = [Path(out).with_suffix(".safetensors")] if kind == "torch" else []
    check_apart([out, *beside], [net_file, weights, *([names] if names is not None else [])])
    net = _load(net_file, weights, names)
    if input_shapes:
        _reshape(net, input_shapes, net_file)
    if kind in ("onnx", "torch"):
        graph = read_graph(net)
        return (_write_onnx if kind == "onnx" else _write_torch)(net, graph, out, check, tolerance)
    if kind == "hdf5":
        net.save_hdf5(out)
    elif kind == "caffemodel":
        net.save(out)
    else:
        arrays = {f"{name}/{i}": blob.data for name, blobs in net.params.items() for i, blob in enumerate(blobs)}
        (write_npz if kind == "npz" else write_safetensors)(out, arrays)
    return []


def convert_from_onnx(
    model_file: PathLike,
    net_file: PathLike,
    weights: PathLike,
    input_shapes: Mapping[str, Shape] | None = None,
    check: bool = True,
    tolerance: float = TOLERANCE,
) -> list[Report]:
    """Convert an ONNX model to a prototxt and a caffemodel (HDF5 if `weights` ends in .h5), as `convert`.

    input_shapes  input -> shape, for inputs whose sizes the model leaves open

    Raises as `onnx_file.read_onnx` and `from_onnx.from_onnx` besides.
    """
    from .from_onnx import from_onnx
    from .onnx_file import read_onnx

    kind = _ending(weights, default="caffemodel")
    if kind not in ("caffemodel", "hdf5"):
        raise NotSupportedError(f"'{os.fspath(weights)}': an ONNX model becomes a prototxt with a .caffemodel or .h5; "
                                "convert these further for other formats")
    check_apart([net_file, weights], [model_file])
    model = read_onnx(model_file, input_shapes)
    message, net = from_onnx(model)
    graph = read_graph(net)
    graph = graph._replace(varying=graph.varying & model.varying)
    reports = _checked(net, graph, check, tolerance, lambda: onnx_runner(model.data, model.file, _values(graph)))
    with atomic_write(net_file) as file:
        file.write(to_text(message).encode())
        if kind == "hdf5":
            net.save_hdf5(weights)
        else:
            blobs = [[blob.data for blob in net.params[layer.name]] if layer.name in net.params else []
                     for layer in message.layer]
            caffemodel.write(weights, message, blobs)
    return reports


def _ending(path: PathLike, default: str | None = None) -> str:
    ending = Path(path).suffix.lower()
    kind = ENDINGS.get(ending, default)
    if kind is None:
        raise NotSupportedError(f"'{os.fspath(path)}': no format has the ending '{ending}'; known are "
                                f"{', '.join(ENDINGS)} (or say which with --to)")
    return kind


def _load(net_file: PathLike, weights: PathLike, names: PathLike | None) -> Net:
    """The net with weights of any format."""
    net = Net(net_file, 1)
    arrays = None if names is None and holds_blobs(weights) else read_arrays(weights)
    if arrays is None:
        net.copy_from(weights)
        assert net.copied is not None
        unfilled = [line.name for line in net.copied.unfilled]
        if unfilled and not net.copied.copied:
            raise WeightsError(f"{os.fspath(weights)}: holds no weights for any layer of this net: is it another net's "
                               "file, or no weight file?")
        if unfilled:
            logger.warning("%s has no weights for %s: their fillers' values are converted", os.fspath(weights),
                           ", ".join(unfilled))
        return net
    unused = fill(net, arrays, read_map(names) if names is not None else {}, os.fspath(weights))
    if unused:
        logger.warning("%s: %d array(s) were not used: %s", os.fspath(weights), len(unused), ", ".join(unused))
    return net


def _reshape(net: Net, shapes: Mapping[str, Shape], file: PathLike) -> None:
    unknown = set(shapes) - set(net.inputs)
    if unknown:
        raise NetError(f"{os.fspath(file)}: has no input '{min(unknown)}', but {list(net.inputs)}")
    if not reshape_inputs(net, shapes):
        raise NetError(f"{os.fspath(file)}: the net does not take inputs of {dict(shapes)}")


def _values(graph: Graph) -> list[str]:
    return [value.name for node in graph.nodes for value in node.tops]


def _checked(net: Net, graph: Graph, check: bool, tolerance: float, runner: Callable[[], Runner]) -> list[Report]:
    """Compare, if wanted and possible."""
    if not check:
        return []
    try:
        ready = runner()
    except NotSupportedError as error:
        logger.warning("the conversion was not checked: %s", error)
        return []
    return compare(net, graph, ready, tolerance)


def _write_onnx(net: Net, graph: Graph, out: PathLike, check: bool, tolerance: float) -> list[Report]:
    from .to_onnx import to_onnx

    model = to_onnx(graph)
    reports = _checked(net, graph, check, tolerance, lambda: onnx_runner(model, os.fspath(out), _values(graph)))
    with atomic_write(out) as file:
        file.write(model)
    return reports


def _write_torch(net: Net, graph: Graph, out: PathLike, check: bool, tolerance: float) -> list[Report]:
    from .to_torch import to_torch

    module: TorchModule = to_torch(graph)
    reports = _checked(net, graph, check, tolerance, lambda: torch_runner(module, os.fspath(out)))
    with atomic_write(out) as file:
        file.write(module.source.encode())
        write_safetensors(Path(out).with_suffix(".safetensors"), module.state)
    return reports
