"""Requests as graphs of nvidia-cudnn-frontend, and the plans that cuDNN has for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .request import DATA, FORWARD, Request

X, FILTER, OUT, BIAS = 1, 2, 3, 4  # numbers by which the arrays of a graph are passed
WRITTEN = {FORWARD: OUT, DATA: X}  # the pass of the weight writes FILTER
LARGEST_WORKSPACE = 1 << 30  # bytes
EXCLUDED = {
    "float32": ("TENSOR_CORE", "NONDETERMINISTIC", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION",
                "WINOGRAD_TILE_13x13"),
    "tf32": ("NONDETERMINISTIC", "DOWN_CONVERT_INPUTS", "REDUCED_PRECISION_REDUCTION", "WINOGRAD_TILE_13x13"),
    "half": ("NONDETERMINISTIC", "REDUCED_PRECISION_REDUCTION", "WINOGRAD"),
}
ADDING_DIFFERENTLY = ("WINOGRAD", "FFT")
# Mode A is quick, but may know tensor cores only; B takes 10 ms and knows more. The rest works always, slowly.
MODES = {"float32": ("A", "B", "FALLBACK"), "tf32": ("A", "FALLBACK"), "half": ("A", "FALLBACK")}


def excluded_notes(request: Request) -> tuple[str, ...]:
    """Names of the properties that a plan for this request must not have."""
    return EXCLUDED[request.precision] + ADDING_DIFFERENTLY * request.plain


def strides(shape: Sequence[int], channels_last: bool) -> list[int]:
    """Steps, in values, along the axes (N, C, *sizes) of an array in memory; the last axis is C if `channels_last`."""
    order = [0, *range(2, len(shape)), 1] if channels_last else list(range(len(shape)))
    steps, step = [0] * len(shape), 1
    for axis in reversed(order):
        steps[axis], step = step, step * shape[axis]
    return steps


def refusals(cudnn: Any) -> tuple[type[Exception], ...]:
    """What cudnn raises if it cannot, or if a library below it cannot."""
    return cudnn.cudnnGraphNotSupportedError, RuntimeError, ValueError, NotImplementedError


def build(cudnn: Any, request: Request, **more: Any) -> Any:
    """A graph with its list of plans, none of them built yet. Raises one of `refusals`.

    `more` goes to cudnn.pygraph: a handle, or the properties of a card to plan for.
    """
    single, half = cudnn.data_type.FLOAT, cudnn.data_type.HALF
    kind = half if request.precision == "half" else single
    graph = cudnn.pygraph(io_data_type=kind, intermediate_data_type=single, compute_data_type=single, **more)
    shapes = {X: request.x, FILTER: request.weight, OUT: request.out}
    written = WRITTEN.get(request.wanted, FILTER)

    def give_shape(tensor: Any, uid: int) -> None:
        tensor.set_dim(list(shapes[uid])).set_stride(strides(shapes[uid], kind is half))
        tensor.set_data_type(kind).set_uid(uid)

    def given(uid: int) -> Any:
        tensor = graph.tensor(name=f"array {uid}", dim=list(shapes[uid]), stride=strides(shapes[uid], kind is half),
                              data_type=kind)
        tensor.set_uid(uid)
        return tensor

    arrays = {uid: given(uid) for uid in shapes if uid != written}
    result = _convolution(graph, request, arrays, single)
    if request.after:
        shapes[BIAS] = (1, request.weight[0], *(1,) * (len(request.x) - 2))
        result = graph.add(a=result, b=given(BIAS), compute_data_type=single, name="bias")
        if request.after == "bias, relu":
            result = graph.relu(input=result, compute_data_type=single, name="relu")
    result.set_output(True)
    give_shape(result, written)
    graph.validate()
    graph.build_operation_graph()
    graph.create_execution_plans([getattr(cudnn.heur_mode, mode) for mode in MODES[request.precision]])
    graph.deselect_numeric_notes([getattr(cudnn.numerical_note, note) for note in excluded_notes(request)])
    graph.check_support()
    return graph


def _convolution(graph: Any, request: Request, arrays: dict[int, Any], kind: Any) -> Any:
    """Add the convolution to the graph."""
    how = {"pre_padding": list(request.pad), "post_padding": list(request.pad), "stride": list(request.stride),
           "dilation": list(request.dilation), "compute_data_type": kind, "name": request.wanted}
    if request.wanted == FORWARD:
        return graph.conv_fprop(image=arrays[X], weight=arrays[FILTER], **how)
    if request.wanted == DATA:
        return graph.conv_dgrad(loss=arrays[OUT], filter=arrays[FILTER], **how)
    return graph.conv_wgrad(image=arrays[X], loss=arrays[OUT], **how)


def plans(cudnn: Any, graph: Any) -> Iterator[tuple[int, str, int]]:
    """Build one plan after the other, cuDNN's first choice first: index, name, bytes of workspace.

    What cannot be built, is excluded or needs too much workspace is left out.
    """
    seen = set()
    for index in range(graph.get_execution_plan_count()):
        name = graph.get_plan_name_at_index(index)
        if name in seen:
            continue
        seen.add(name)
        try:
            graph.build_plan_at_index(index)
        except refusals(cudnn):
            continue
        workspace = graph.get_workspace_size_plan_at_index(index)
        if workspace <= LARGEST_WORKSPACE:
            yield index, name, workspace
