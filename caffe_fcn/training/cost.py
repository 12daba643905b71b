"""What the layers of a net that runs cost, as `prototxt.cost` counts it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caffe_fcn.blob import Blob
from caffe_fcn.net import Net
from caffe_fcn.prototxt.cost import Cost, layer_cost, pass_bytes
from caffe_fcn.prototxt.shapes import LayerShapes, NetShapes

GEMM_TYPES = ("Convolution", "Deconvolution", "InnerProduct")  # backward costs one forward pass for each gradient


def _shapes(net: Net) -> NetShapes:
    wiring = net._wiring
    return NetShapes(net._phase, [
        LayerShapes(i, param, _each(bottoms), _each(tops), _each(layer.blobs), layer)
        for i, (param, bottoms, tops, layer) in enumerate(
            zip(wiring.layer_params, wiring.bottoms, wiring.tops, wiring.layers, strict=True))])


def _each(blobs: Iterable[Blob]) -> list[Any]:
    return [blob.shape for blob in blobs]


def layer_costs(net: Net) -> list[Cost]:
    """Operations of a forward pass, parameters, and bytes of the tops of each layer, at the present shapes."""
    return [layer_cost(row) for row in _shapes(net).layers]


def backward_flops(net: Net, i: int, forward: int) -> int:
    """Operations of the backward pass of layer `i`; 0 where they are not counted."""
    wiring = net._wiring
    if not wiring.layer_backward[i] or wiring.types[i] not in GEMM_TYPES:
        return 0
    return forward * (any(wiring.bottom_backward[i]) + any(wiring.layers[i].param_propagate_down[:1]))


def net_bytes(net: Net, training: bool) -> int:
    """Bytes of all values and parameters of a net; with training, of their diffs too."""
    return pass_bytes(_shapes(net), training)
