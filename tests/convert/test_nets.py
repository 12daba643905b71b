"""Whole nets to ONNX and PyTorch: the largest relative difference stays under 1e-4 at two input sizes."""

from __future__ import annotations

import pytest

from caffe_fcn import TEST, Net


def convolution(name, bottom, outputs, kernel=3, stride=1, pad=1, bias="true"):
    return (f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" convolution_param {{ '
            f"num_output: {outputs} kernel_size: {kernel} stride: {stride} pad: {pad} bias_term: {bias} }} }}")


def simple(kind, name, blob, fields="", top=None):
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{blob}" top: "{top or blob}" {fields} }}'


def pool(name, bottom, fields):
    return simple("Pooling", name, bottom, f"pooling_param {{ {fields} }}", name)


def net_input(height, width):
    shape = f"shape {{ dim: [1, 3, {height}, {width}] }}"
    return f'layer {{ name: "in" type: "Input" top: "data" input_param {{ {shape} }} }}'


def vgg_style():
    """VGG16's pattern with fewer channels and blocks, classifier included: sizes cannot change."""
    lines, bottom = ['name: "vgg"', net_input(45, 45)], "data"
    for block, outputs in enumerate((8, 16, 24), 1):
        for i in (1, 2):
            name = f"conv{block}_{i}"
            lines += [convolution(name, bottom, outputs), simple("ReLU", f"relu{block}_{i}", name)]
            bottom = name
        lines.append(pool(f"pool{block}", bottom, "kernel_size: 2 stride: 2"))
        bottom = f"pool{block}"
    for name, outputs in (("fc6", 64), ("fc7", 64), ("fc8", 10)):
        lines.append(simple("InnerProduct", name, bottom, f"inner_product_param {{ num_output: {outputs} }}", name))
        bottom = name
        if name != "fc8":
            lines += [simple("ReLU", f"relu-{name}", name), simple("Dropout", f"drop-{name}", name)]
    return "\n".join([*lines, simple("Softmax", "prob", "fc8", "", "prob")])


def normalised(name, blob):
    return [simple("BatchNorm", f"bn_{name}", blob),
            simple("Scale", f"scale_{name}", blob, "scale_param { bias_term: true }")]


def resnet_style():
    """ResNet's pattern: a strided stem, a padded maximum, blocks with projections, global mean; sizes may change."""
    lines = ['name: "resnet"', net_input(61, 75), convolution("conv1", "data", 8, 7, 2, 3),
             *normalised("conv1", "conv1"), simple("ReLU", "conv1_relu", "conv1"),
             pool("pool1", "conv1", "kernel_size: 3 stride: 2")]
    bottom = "pool1"
    for block, (outputs, stride) in enumerate(((8, 1), (16, 2), (32, 2)), 2):
        stem = f"res{block}"
        lines += [convolution(f"{stem}_1", bottom, outputs, 1, stride, 0, bias="false"),
                  *normalised(f"{stem}_1", f"{stem}_1"),
                  convolution(f"{stem}_2a", bottom, outputs, 3, stride, bias="false"),
                  *normalised(f"{stem}_2a", f"{stem}_2a"), simple("ReLU", f"{stem}_2a_relu", f"{stem}_2a"),
                  convolution(f"{stem}_2b", f"{stem}_2a", outputs, bias="false"),
                  *normalised(f"{stem}_2b", f"{stem}_2b"),
                  f'layer {{ name: "{stem}" type: "Eltwise" bottom: "{stem}_1" bottom: "{stem}_2b" top: "{stem}" }}',
                  simple("ReLU", f"{stem}_relu", stem)]
        bottom = stem
    return "\n".join([*lines, pool("pool5", bottom, "pool: AVE global_pooling: true"),
                      simple("InnerProduct", "fc", "pool5", "inner_product_param { num_output: 10 }", "fc")])


def check(reports, sizes):
    assert len({tuple(report.inputs.items()) for report in reports}) == sizes
    assert max(report.worst.relative for report in reports) < 1e-4


def test_vgg_style(make_net, target):
    graph, reports = target(make_net(vgg_style()))
    assert graph.varying == {0}
    check(reports, 2)


def test_resnet_style(make_net, target):
    graph, reports = target(make_net(resnet_style()))
    assert graph.varying == {0, 2, 3}
    check(reports, 2)


def resized(net, height, width):
    net.blobs["data"].reshape(1, 3, height, width)
    net.reshape()
    return net


@pytest.mark.slow
def test_slim_fcn8s(shared, target):
    folder = shared / "golden" / "e2e" / "fcn_slim"
    net = Net(str(folder / "fcn8s_slim_deploy.prototxt"), str(folder / "fcn8s_slim.caffemodel"), TEST)
    graph, reports = target(resized(net, 97, 130))
    assert graph.varying == {0, 2, 3}
    check(reports, 2)


@pytest.mark.slow
def test_hed(shared, target):
    folder = shared / "weights"
    net = Net(str(folder / "hed_deploy.prototxt"), str(folder / "hed_bsds.caffemodel"), TEST)
    _, reports = target(resized(net, 97, 130))
    check(reports, 2)
