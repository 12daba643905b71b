"""What a pass costs, against numbers worked out by hand."""

from __future__ import annotations

import pytest

import caffe
from caffe_fcn.training.cost import backward_flops, layer_costs, net_bytes

NET = """
layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'c'
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: 'd' type: 'Deconvolution' bottom: 'c' top: 'd' convolution_param {
  num_output: 4 group: 4 bias_term: false kernel_size: 4 stride: 2 } }
layer { name: 'l' type: 'Reduction' bottom: 'd' top: 'l' loss_weight: 1 }
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "n.prototxt").write_text(NET)
    return caffe.Net(str(tmp_path / "n.prototxt"), caffe.TRAIN)


def test_costs(net):
    _, conv, deconv, _ = layer_costs(net)
    assert conv == (2 * 2 * 4 * 64 * 27 + 2 * 4 * 64, 4 * 27 + 4, 2 * 4 * 64 * 4)
    assert deconv == (2 * 2 * 4 * 64 * 16, 64, 2 * 4 * 18 * 18 * 4)


def test_backward(net):
    assert backward_flops(net, 1, 100) == 100  # of the weights; the input wants no gradient
    assert backward_flops(net, 2, 100) == 200
    assert backward_flops(net, 0, 100) == backward_flops(net, 3, 100) == 0


def test_memory(net):
    values = 2 * 3 * 64 + 2 * 4 * 64 + 2 * 4 * 18 * 18 + 1
    params = 4 * 27 + 4 + 64
    assert net_bytes(net, False) == 4 * (values + params) and net_bytes(net, True) == 8 * (values + params)
