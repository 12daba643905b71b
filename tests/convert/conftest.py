"""What the tests of conversions share: nets with random weights, and the targets that can run here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from caffe_fcn import TEST, Net
from caffe_fcn.convert.check import Report, compare, onnx_runner, torch_runner
from caffe_fcn.convert.graph import Graph, read_graph
from caffe_fcn.proto import caffe_pb2, text

Target = Callable[[Net], tuple[Graph, list[Report]]]


def random_net(prototxt: str, file: str | None = None) -> Net:
    """A TEST net of this text; all its parameters are random, those of BatchNorm possible statistics."""
    message = text.parse(prototxt, caffe_pb2.NetParameter())
    net = Net(message, TEST)
    random = np.random.default_rng(3)
    for layer in net.layers:
        for i, blob in enumerate(layer.blobs):
            values = random.standard_normal(blob.data.shape)
            if layer.type in ("BatchNorm", "BN"):
                values = np.abs(values) + (0.5 if i else 0)
            blob.data[...] = values / max(1.0, np.sqrt(blob.count / blob.shape[0])) if blob.shape else values
    return net


@pytest.fixture
def make_net() -> Callable[[str], Net]:
    return random_net


@pytest.fixture(params=["onnx", "torch"])
def target(request: pytest.FixtureRequest) -> Target:
    """Converts a net, runs the result, and compares every value at two sizes; skips what is not installed."""
    if request.param == "torch":
        pytest.importorskip("torch")
    else:
        pytest.importorskip("onnxruntime")

    def convert_and_compare(net: Net) -> tuple[Graph, list[Report]]:
        graph = read_graph(net)
        if request.param == "torch":
            from caffe_fcn.convert.to_torch import to_torch

            runner = torch_runner(to_torch(graph), "test")
        else:
            from caffe_fcn.convert.to_onnx import to_onnx

            runner = onnx_runner(to_onnx(graph), "test", [value.name for node in graph.nodes for value in node.tops])
        return graph, compare(net, graph, runner)

    return convert_and_compare
