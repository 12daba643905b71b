"""CaffeNet as a fully convolutional net: the net of Caffe's example of net surgery, for images of any size.

Its weights are CaffeNet's, those of fc6, fc7 and fc8 in the shapes of convolutions.
"""

from __future__ import annotations

from caffe_fcn.proto import caffe_pb2
from caffe_fcn.pycaffe.net_spec import layers as L
from caffe_fcn_models.blocks import Nets, alexnet, write
from caffe_fcn_models.blocks.data import image
from caffe_fcn_models.blocks.layers import conv_relu, dropout


def nets() -> Nets:
    """The files of this folder."""
    n = image(451, layer="data")
    top = alexnet.trunk(n, n.data)
    for number, kernel in ((6, 6), (7, 1)):
        top = conv_relu(n, top, f"fc{number}-conv", 4096, f"relu{number}", kernel_size=kernel)
        top = dropout(n, top, f"drop{number}")
    n["fc8-conv"] = L.Convolution(top, num_output=1000, kernel_size=1)
    n.prob = L.Softmax(n["fc8-conv"])
    return {"deploy": caffe_pb2.NetParameter(name="CaffeNetConv", layer=n.to_proto().layer)}


if __name__ == "__main__":
    write(__file__, nets())
