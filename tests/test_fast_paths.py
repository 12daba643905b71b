"""Are the fast operations taken where they should be? Counted, not timed."""

from __future__ import annotations

import collections

import numpy as np
import pytest

import caffe
from caffe_fcn import ops
from caffe_fcn.ops.cpu import threads
from caffe_fcn.ops.cpu.conv import blocked, depthwise, full, large, narrow, pointwise, winograd
from caffe_fcn.ops.reference import ReferenceOps

ALGORITHMS = (blocked, depthwise, full, large, narrow, pointwise, winograd)
KERNELS = {"_pooling_kernels": ("max_pool", "max_pool_same", "max_pool_backward", "ave_pool", "ave_pool_backward",
                             "max_pool_backward_pairs", "max_pool_mask"),
           "_elementwise_kernels": ("relu", "relu_in_place", "relu_backward", "relu_backward_in_place"),
           "product_kernels": ("multiply",)}
PLAIN = ("convolution", "convolution_backward_data", "convolution_backward_weight", "im2col", "col2im", "add_product",
         "max_pool", "max_pool_mask", "max_pool_backward", "ave_pool", "ave_pool_backward", "relu", "relu_backward",
         "unpool", "unpool_backward")


@pytest.fixture
def taken(monkeypatch):
    """A Counter of calls: "algorithm.pass" for convolutions, names of kernels, "reference.name" for slow ones."""
    counts = collections.Counter()
    monkeypatch.setattr(threads, "count", lambda: 1)  # kernels are called once per thread

    def count(owner, name, word):
        function = getattr(owner, name)

        def counted(*args, **kwargs):
            counts[word] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    for algorithm in ALGORITHMS:
        for name in ("forward", "backward_data", "backward_weight"):
            count(algorithm, name, f"{algorithm.__name__.rpartition('.')[2]}.{name}")
    for module, names in KERNELS.items():
        owner = __import__(f"caffe_fcn.ops.cpu.{module}", fromlist=names)
        for name in names:
            count(owner, name, name)
    for name in PLAIN:
        count(ReferenceOps, name, f"reference.{name}")
    return counts


def conv(name, bottom, outputs, kernel, more=""):
    return (f"layer {{ name: '{name}' type: 'Convolution' bottom: '{bottom}' top: '{name}' convolution_param {{ "
            f"num_output: {outputs} kernel_size: {kernel} weight_filler {{ type: 'msra' }} {more} }} }}\n"
            f"layer {{ name: 'relu_{name}' type: 'ReLU' bottom: '{name}' top: '{name}' }}\n")


FCN = ("layer { name: 'in' type: 'Input' top: 'data' top: 'label' input_param { shape { dim: 1 dim: 3 dim: 96 dim: 80 }"
       " shape { dim: 1 dim: 1 dim: 96 dim: 80 } } }\n"
       + conv("conv1_1", "data", 16, 3, "pad: 30") + conv("conv1_2", "conv1_1", 16, 3, "pad: 1")
       + "layer { name: 'pool1' type: 'Pooling' bottom: 'conv1_2' top: 'pool1' pooling_param { kernel_size: 2 "
       "stride: 2 } }\n"
       + conv("conv2", "pool1", 24, 3, "pad: 1")
       + "layer { name: 'pool2' type: 'Pooling' bottom: 'conv2' top: 'pool2' pooling_param { pool: AVE kernel_size: 2 "
       "stride: 2 } }\n"
       + conv("fc6", "pool2", 32, 7) + conv("fc7", "fc6", 32, 1) + conv("score", "fc7", 5, 1)
       + "layer { name: 'up' type: 'Deconvolution' bottom: 'score' top: 'up' param { lr_mult: 0 } convolution_param { "
       "num_output: 5 bias_term: false kernel_size: 8 stride: 4 } }\n"
       "layer { name: 'crop' type: 'Crop' bottom: 'up' bottom: 'data' top: 'crop' crop_param { axis: 2 offset: 2 } }\n"
       "layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'crop' bottom: 'label' top: 'loss' }\n")


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(FCN)
    net = caffe.Net(str(path), caffe.TRAIN)
    weight = net.params["up"][0].data
    weight[range(5), range(5)] = 1 - np.abs(np.arange(8) - 3.5) / 4  # as net surgery's `interp` leaves it
    net.blobs["data"].data[...] = np.random.default_rng(0).normal(size=(1, 3, 96, 80))
    return net


def test_a_forward_pass(net, taken):
    net.forward()
    assert {name: calls for name, calls in taken.items() if name != "multiply"} == {
        "narrow.forward": 1,  # conv1_1 has too few channels for winograd
        "winograd.forward": 2, "large.forward": 1, "pointwise.forward": 2,
        "depthwise.backward_data": 1,  # a deconvolution whose weight does not mix classes
        "relu_in_place": 3, "max_pool": 1, "ave_pool": 1}
    assert taken["multiply"] >= 1


def test_a_backward_pass(net, taken):
    net.forward()
    taken.clear()
    net.backward()
    assert {name: calls for name, calls in taken.items() if name != "multiply"} == {
        "narrow.backward_weight": 1, "large.backward_weight": 1, "large.backward_data": 1,
        "winograd.backward_weight": 2, "winograd.backward_data": 2, "pointwise.backward_weight": 2,
        "pointwise.backward_data": 2,
        "depthwise.forward": 1, "relu_backward_in_place": 6, "max_pool_backward_pairs": 1,
        "ave_pool_backward": 1}


def test_a_weight_that_mixes_classes_is_not_run_by_class(net, taken):
    net.params["up"][0].data[0, 1] = 1
    net.forward()
    assert taken["blocked.backward_data"] == 1 and not taken["depthwise.backward_data"]


def test_counting_sees_the_reference(taken):
    x = np.ones((1, 1, 2, 2), np.float32)
    ReferenceOps().relu(x, x, 0)
    assert taken["reference.relu"] == 1


def test_fast_operations_are_used_unless_asked_otherwise():
    assert ops.current() is ops.cpu_ops()
