"""What a layer costs: floating point operations and memory."""

from __future__ import annotations

import math

from caffe_fcn.net import Net

DOUBLE_BACKWARD = 2  # gradients of the input and of the weights cost one forward pass each


def forward_flops(net: Net, i: int) -> int:
    """Multiplications and additions of the products in one forward pass of layer `i`; 0 for layers without any.

    Counted as the definition has them, whatever the algorithm that runs.
    """
    wiring = net._wiring
    kind, blobs = wiring.types[i], wiring.layers[i].blobs
    if kind in ("Convolution", "InnerProduct"):
        param = wiring.layer_params[i]
        outputs = (param.convolution_param if kind == "Convolution" else param.inner_product_param).num_output
        return 2 * sum(top.count for top in wiring.tops[i]) * (blobs[0].count // outputs)
    if kind == "Deconvolution":
        taps = math.prod(blobs[0].shape[1:])
        return 2 * sum(bottom.count for bottom in wiring.bottoms[i]) * taps
    return 0


def layer_bytes(net: Net, i: int) -> tuple[int, int]:
    """Bytes of the values of a layer's tops (of those made in place: 0) and of its parameters."""
    wiring = net._wiring
    bottoms = set(wiring.bottom_ids[i])
    own = [blob for blob, k in zip(wiring.tops[i], wiring.top_ids[i], strict=True) if k not in bottoms]
    shared = wiring.types[i] in ("Split", "Reshape", "Flatten")
    return (0 if shared else sum(blob.count * blob.dtype.itemsize for blob in own),
            sum(blob.count * blob.dtype.itemsize for blob in wiring.layers[i].blobs))


def net_bytes(net: Net, training: bool) -> int:
    """Bytes of all values and parameters of a net; with training, of their diffs too."""
    values = sum(sum(layer_bytes(net, i)) for i in range(len(net.layers)))
    return values * (2 if training else 1)
