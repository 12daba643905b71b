"""The nets that the tests of the family share."""

from __future__ import annotations

import caffe_fcn_models

NAMES = [name for name in caffe_fcn_models.names() if not name.startswith("camvid-")]


def make_narrow(net):
    """Divide the channels of a NetParameter by 8, where they can be divided: not those of most classes."""
    for layer in net.layer:
        for part in (layer.convolution_param, layer.inner_product_param):
            if part.num_output % 8 == 0 and part.num_output:
                part.num_output //= 8
