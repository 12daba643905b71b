"""Every kind of layer, converted, gives Caffe's numbers at two input sizes."""

from __future__ import annotations

import re

import pytest

from caffe_fcn.errors import NetError, NotSupportedError

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 4, 11, 14] } } }\n'

CASES = {
    "convolution": 'type: "Convolution" convolution_param { num_output: 6 kernel_size: 3 pad: 1 stride: 2 group: 2 }',
    "convolution-uneven": 'type: "Convolution" convolution_param { num_output: 5 kernel_h: 1 kernel_w: 3 pad_w: 2 '
                          "stride_h: 2 stride_w: 1 bias_term: false }",
    "convolution-dilated": 'type: "Convolution" convolution_param { num_output: 5 kernel_size: 3 dilation: 2 }',
    "deconvolution": 'type: "Deconvolution" convolution_param { num_output: 3 kernel_size: 4 stride: 2 pad: 1 }',
    "deconvolution-grouped": 'type: "Deconvolution" convolution_param { num_output: 8 group: 4 kernel_size: 3 '
                             "stride: 3 dilation: 2 bias_term: false }",
    "inner-product": 'type: "InnerProduct" inner_product_param { num_output: 7 axis: 3 }',
    "inner-product-transposed": 'type: "InnerProduct" inner_product_param { num_output: 7 transpose: true }',
    "inner-product-whole": 'type: "InnerProduct" inner_product_param { num_output: 7 axis: 0 bias_term: false }',
    "max": 'type: "Pooling" pooling_param { kernel_size: 2 stride: 2 }',
    "max-overlapping": 'type: "Pooling" pooling_param { kernel_size: 3 stride: 2 pad: 1 }',
    "max-one-pad": 'type: "Pooling" pooling_param { kernel_size: 3 stride_h: 3 stride_w: 2 pad_h: 2 pad_w: 0 }',
    "max-gaps": 'type: "Pooling" pooling_param { kernel_size: 1 stride: 2 }',
    "max-window-outside": 'type: "Pooling" pooling_param { kernel_size: 1 stride: 4 }',
    "max-floor": 'type: "Pooling" pooling_param { kernel_size: 2 stride: 3 pad: 1 round_mode: FLOOR }',
    "mean": 'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 }',
    "mean-padded": 'type: "Pooling" pooling_param { pool: AVE kernel_size: 4 stride: 3 pad: 2 }',
    "mean-padded-unit": 'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 pad: 1 }',
    "mean-floor": 'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR }',
    "max-global": 'type: "Pooling" pooling_param { global_pooling: true }',
    "mean-global": 'type: "Pooling" pooling_param { pool: AVE global_pooling: true }',
    "lrn": 'type: "LRN" lrn_param { local_size: 3 alpha: 0.5 beta: 0.6 k: 2 }',
    "lrn-within": 'type: "LRN" lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }',
    "sum": 'type: "Eltwise" bottom: "x" eltwise_param { coeff: [0.5, -2] }',
    "product": 'type: "Eltwise" bottom: "x" bottom: "x" eltwise_param { operation: PROD }',
    "maximum": 'type: "Eltwise" bottom: "x" eltwise_param { operation: MAX }',
    "scale": 'type: "Scale" scale_param { bias_term: true }',
    "scale-two-axes": 'type: "Scale" scale_param { axis: 0 num_axes: 2 }',
    "scale-number": 'type: "Scale" scale_param { num_axes: 0 }',
    "bias": 'type: "Bias"',
    "batch-norm": 'type: "BatchNorm" batch_norm_param { eps: 0.01 }',
    "mvn": 'type: "MVN"',
    "mvn-across": 'type: "MVN" mvn_param { across_channels: true eps: 0.1 }',
    "softmax": 'type: "Softmax"',
    "softmax-last": 'type: "Softmax" softmax_param { axis: -1 }',
    "power": 'type: "Power" power_param { power: 2 scale: 0.5 shift: 3 }',
    "power-linear": 'type: "Power" power_param { scale: 0.00390625 shift: -1 }',
    "power-constant": 'type: "Power" power_param { power: 0.5 scale: 0 shift: 3 }',
    "relu": 'type: "ReLU"',
    "relu-leaky": 'type: "ReLU" relu_param { negative_slope: 0.1 }',
    "relu6": 'type: "ReLU6"',
    "prelu": 'type: "PReLU"',
    "prelu-shared": 'type: "PReLU" prelu_param { channel_shared: true }',
    "elu": 'type: "ELU" elu_param { alpha: 0.7 }',
    "sigmoid": 'type: "Sigmoid"',
    "tanh": 'type: "TanH"',
    "absval": 'type: "AbsVal"',
    "bnll": 'type: "BNLL"',
    "exp": 'type: "Exp" exp_param { base: 2 scale: 0.1 shift: 0.5 }',
    "log": 'type: "Log" log_param { base: 10 scale: 0.001 shift: 3 }',
    "swish": 'type: "Swish" swish_param { beta: 0.5 }',
    "clip": 'type: "Clip" clip_param { min: -2 max: 3 }',
    "clip-infinite": 'type: "Clip" clip_param { min: -inf max: 3 }',
    "threshold": 'type: "Threshold" threshold_param { threshold: 0.5 }',
    "dropout": 'type: "Dropout"',
    "concat": 'type: "Concat" bottom: "x" concat_param { axis: -2 }',
    "reshape": 'type: "Reshape" reshape_param { shape { dim: [2, -1] } axis: 1 num_axes: 1 }',
    "reshape-two": 'type: "Reshape" reshape_param { shape { dim: [0, 2, -1] } }',
    "flatten": 'type: "Flatten"',
    "flatten-middle": 'type: "Flatten" flatten_param { axis: 1 end_axis: 2 }',
    "flatten-nothing": 'type: "Flatten" flatten_param { axis: 2 end_axis: 1 }',
    "tile": 'type: "Tile" tile_param { tiles: 3 }',
    "reduction": 'type: "Reduction" reduction_param { operation: MEAN axis: 2 coeff: 2 }',
    "reduction-all": 'type: "Reduction" reduction_param { operation: ASUM }',
    "reduction-squares": 'type: "Reduction" reduction_param { operation: SUMSQ axis: 1 }',
    "argmax": 'type: "ArgMax" argmax_param { axis: 1 }',
    "argmax-flat": 'type: "ArgMax"',
    "interp-zoom": 'type: "Interp" interp_param { zoom_factor: 3 pad_beg: -1 }',
    "interp-both": 'type: "Interp" interp_param { zoom_factor: 2 shrink_factor: 3 }',
    "interp-shrink": 'type: "Interp" interp_param { shrink_factor: 3 pad_beg: -1 pad_end: -2 }',
    "interp-fixed": 'type: "Interp" interp_param { height: 20 width: 9 }',
    "bn-pspnet": 'type: "BN" bn_param { frozen: false eps: 0.01 }',
    "bn-segnet": 'type: "BN" bn_param { bn_mode: INFERENCE }',
    "permute": 'type: "Permute" permute_param { order: [0, 2, 3, 1] }',
}


def layer(fields: str, name: str = "layer-1", bottom: str = "x", top: str = "y") -> str:
    kind = re.match(r'type: "\w+"', fields).group()
    return f'layer {{ name: "{name}" {kind} bottom: "{bottom}" top: "{top}" {fields[len(kind):]} }}\n'


@pytest.mark.parametrize("case", CASES)
def test_layer(case, make_net, target):
    graph, reports = target(make_net(INPUT + layer(CASES[case])))
    assert graph.outputs[0].name == "y"
    assert [{d.blob for d in report.differences} for report in reports] == [{"y"}] * len(reports)
    assert len(reports) == (1 if case == "inner-product-whole" else 2)
    assert max(report.worst.relative for report in reports) < 1e-5


@pytest.mark.parametrize("points", ["", "slice_param { slice_point: [1, 3] }", "slice_param { axis: 2 }"])
def test_slice(points, make_net, target):
    tops = "abc" if "point" in points else "a"
    if not points:
        tops = "ab"
    text = f'layer {{ name: "cut" type: "Slice" bottom: "x" {" ".join(f"top: {t!r}" for t in tops)} {points} }}'
    graph, reports = target(make_net(INPUT + text))
    assert [value.name for value in graph.outputs] == list(tops)
    assert reports[0].worst.relative == 0


@pytest.mark.parametrize("fields", ["axis: 2 offset: 1 offset: 2", "offset: 1", "axis: 1 offset: [0, 1, 2]",
                                    "axis: -1"])
def test_crop_follows_the_size_of_its_reference(fields, make_net, target):
    pooled = layer('type: "Pooling" pooling_param { kernel_size: 5 }', "pool", top="small")
    text = f'layer {{ name: "cut" type: "Crop" bottom: "x" bottom: "small" top: "y" crop_param {{ {fields} }} }}'
    _, reports = target(make_net(INPUT + pooled + text))
    assert [len(report.differences) for report in reports] == [2, 2]
    assert reports[0].differences[1].shape != reports[1].differences[1].shape


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_operand_that_is_a_blob(kind, make_net, target):
    pooled = layer('type: "Pooling" pooling_param { pool: AVE global_pooling: true }', "pool", top="mean")
    flat = layer('type: "Flatten"', "flat", "mean", "weights")
    text = (f'layer {{ name: "s" type: "{kind}" bottom: "x" bottom: "weights" top: "y" '
            f"{kind.lower()}_param {{ axis: 0 }} }}")
    target(make_net(INPUT + pooled + flat + text))


def test_several_bottoms_share_one_weight(make_net, target):
    text = 'layer { name: "relu" type: "ReLU" bottom: "x" top: "z" }\n' \
           'layer { name: "c" type: "Convolution" bottom: "x" bottom: "z" top: "a" top: "b" ' \
           "convolution_param { num_output: 2 kernel_size: 3 } }"
    _, reports = target(make_net(INPUT + text))
    assert {d.blob for d in reports[0].differences} == {"z", "a", "b"}


def test_values_of_a_blob_changed_in_place_are_all_compared(make_net, target):
    text = "".join(layer(fields, name, *("x", "y") if name == "a" else ("y", "y")) for name, fields in [
        ("a", 'type: "Power" power_param { scale: 3 }'), ("b", 'type: "BatchNorm"'),
        ("c", 'type: "Scale" scale_param { bias_term: true }'), ("d", 'type: "MVN"'), ("e", 'type: "Swish"'),
        ("f", 'type: "Dropout"'), ("g", 'type: "ReLU"')])
    graph, reports = target(make_net(INPUT + text))
    assert [node.tops[0].name for node in graph.nodes] == ["y@a", "y@b", "y@c", "y@d", "y@e", "y@f", "y"]
    assert reports[0].differences[-1].blob == "y"


def test_names_that_are_no_identifiers(make_net, target):
    names = ["score-dsn1", "score_dsn1", "for", "forward", "1x1", "torch", 'a"""b', "ünï/é\\", "x", "self"]
    text = "".join(layer('type: "Convolution" convolution_param { num_output: 2 kernel_size: 1 }',
                         name.replace("\\", "\\\\").replace('"', '\\"'), "x",
                         f"top-{name}".replace("\\", "\\\\").replace('"', '\\"')) for name in names)
    graph, _ = target(make_net(INPUT + text))
    assert sorted(value.name for value in graph.outputs) == sorted(f"top-{name}" for name in names)


REFUSED = {
    'type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 2 }': "STOCHASTIC",
    'type: "Pooling" pooling_param { pool: AVE kernel_size: 1 stride: 3 }': "stride",
    'type: "BatchNorm" batch_norm_param { use_global_stats: false }': "use_global_stats",
    'type: "BN" bn_param { bn_mode: LEARN }': "INFERENCE",
    'type: "ArgMax" argmax_param { axis: 1 top_k: 2 }': "top_k",
    'type: "Convolution" convolution_param { axis: 2 num_output: 2 kernel_size: 3 }': "axis",
    'type: "Convolution" convolution_param { num_output: 2 kernel_size: 15 stride: 5 }': "kernel",
    'type: "SPP" spp_param { pyramid_height: 2 }': "of this type",
}


@pytest.mark.parametrize("fields", REFUSED)
def test_refusal_names_layer_and_type(fields, make_net, target):
    kind = re.match(r'type: "(\w+)"', fields).group(1)
    with pytest.raises(NotSupportedError, match=rf"layer 'layer-1' \({kind}\): .*{REFUSED[fields]}"):
        target(make_net(INPUT + layer(fields)))


def test_nets_with_their_own_data_are_refused(make_net, target):
    text = 'layer { name: "d" type: "DummyData" top: "x" dummy_data_param { shape { dim: [1, 3] } } }\n'
    with pytest.raises(NotSupportedError, match=r"layer 'd' \(DummyData\): .*deploy"):
        target(make_net(text + layer('type: "ReLU"')))


def test_nets_without_a_computed_output_are_refused(make_net, target):
    with pytest.raises(NetError, match="output"):
        target(make_net(INPUT))
