"""The recorded layers of the original: each is converted with equal numbers, or refused by the name of the layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from caffe_fcn import TEST, Net
from caffe_fcn.convert.graph import reshape_inputs
from caffe_fcn.errors import NetError, NotSupportedError

RECORDED = sorted((Path(__file__).parent.parent / "data" / "layers").glob("*.npz"))
KINDS = ("AbsVal", "BatchNorm-", "Bias", "BNLL", "Clip", "Concat", "Convolution-", "Crop", "Deconvolution-", "ELU",
         "Eltwise", "Exp", "Flatten", "InnerProduct", "LRN", "Log", "MVN", "PReLU", "Pooling-", "Power", "ReLU",
         "Reduction", "Reshape", "Scale", "Sigmoid-", "Slice", "Softmax-", "Swish", "TanH", "Threshold", "Tile")
REFUSED = ("BatchNorm-test-batch", "Convolution-axis2", "Convolution-kernel-over-input",
           "Convolution-no-spatial", "Deconvolution-axis2", "MVN-2d-to-4d", "Pooling-ave-window-outside",
           "Pooling-max-mask", "Pooling-max-window-outside")


@pytest.mark.parametrize("path", [path for path in RECORDED if path.stem.startswith(KINDS)], ids=lambda path: path.stem)
def test_recorded_layer(path, tmp_path, target):
    case = np.load(path)
    (tmp_path / "net.prototxt").write_text(str(case["prototxt"]))
    net = Net(str(tmp_path / "net.prototxt"), TEST)
    for key in case.files:
        kind, _, name = key.partition(":")
        if kind == "param":
            layer, _, index = name.rpartition(":")
            blob = net.params[layer][int(index)]
            blob.data[...] = case[key].reshape(blob.data.shape)
    assert reshape_inputs(net, {name: case[f"in:{name}"].shape for name in net.inputs if f"in:{name}" in case.files})
    if path.stem.startswith(REFUSED):
        with pytest.raises((NotSupportedError, NetError), match="layer '"):
            target(net)
    else:
        target(net)
