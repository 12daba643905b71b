"""Convolution, Deconvolution, InnerProduct and Im2col: sizes, quirks, gradients, memory, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import build_layer, check_gradient, run_layer

from caffe_fcn import errors
from caffe_fcn.memory import Head

RANDOM = np.random.default_rng(3)


def convolution(fields, type="Convolution"):
    return f"type: '{type}' convolution_param {{ {fields} }}"


def inner_product(fields):
    return f"type: 'InnerProduct' inner_product_param {{ {fields} }}"


def values(*shape):
    return RANDOM.normal(size=shape)


SIZES = {  # text: shape of the bottom, of the top, of the weight
    convolution("num_output: 4 kernel_size: 3"): ((2, 3, 7, 8), (2, 4, 5, 6), (4, 3, 3, 3)),
    convolution("num_output: 4 kernel_size: 3 group: 2"): ((2, 6, 7, 8), (2, 4, 5, 6), (4, 3, 3, 3)),
    convolution("num_output: 2 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 1"):
        ((1, 3, 7, 9), (1, 2, 4, 8), (2, 3, 3, 2)),
    convolution("num_output: 2 kernel_size: [3, 1] pad: [0, 2] stride: [2, 1] dilation: [2, 5]"):
        ((1, 3, 7, 9), (1, 2, 2, 13), (2, 3, 3, 1)),
    convolution("num_output: 2 kernel_size: 3 axis: 2"): ((2, 4, 3, 6, 5), (2, 4, 2, 4, 3), (2, 3, 3, 3)),
    convolution("num_output: 2 kernel_size: 3 axis: -2"): ((2, 4, 3, 6), (2, 4, 2, 4), (2, 3, 3)),
    convolution("num_output: 2 kernel_size: 2"): ((1, 2, 3, 4, 5), (1, 2, 2, 3, 4), (2, 2, 2, 2, 2)),
    convolution("num_output: 2"): ((4, 5), (4, 2), (2, 5)),
    convolution("num_output: 3 kernel_size: 5 stride: 3"): ((1, 2, 3, 8), (1, 3, 1, 2), (3, 2, 5, 5)),
    convolution("num_output: 2 kernel_size: 3"): ((0, 3, 5, 5), (0, 2, 3, 3), (2, 3, 3, 3)),
    convolution("num_output: 2 kernel_size: 3 engine: CUDNN force_nd_im2col: true"):
        ((1, 3, 5, 5), (1, 2, 3, 3), (2, 3, 3, 3)),
    convolution("num_output: 4 kernel_size: 3 stride: 2 pad: 1", "Deconvolution"):
        ((2, 3, 4, 5), (2, 4, 7, 9), (3, 4, 3, 3)),
    convolution("num_output: 6 kernel_size: 4 stride: 2 group: 2", "Deconvolution"):
        ((1, 4, 4, 5), (1, 6, 10, 12), (4, 3, 4, 4)),
    convolution("num_output: 2 kernel_size: 3 dilation: 2", "Deconvolution"):
        ((1, 3, 1, 2), (1, 2, 5, 6), (3, 2, 3, 3)),
    inner_product("num_output: 4"): ((3, 2, 5), (3, 4), (4, 10)),
    inner_product("num_output: 4 transpose: true"): ((3, 2, 5), (3, 4), (10, 4)),
    inner_product("num_output: 4 axis: -1"): ((3, 2, 5), (3, 2, 4), (4, 5)),
    inner_product("num_output: 4 axis: 0"): ((3, 2), (4,), (4, 6)),
    inner_product("num_output: 1"): ((0, 2), (0, 1), (1, 2)),
    convolution("kernel_size: 3 kernel_size: 2 stride: 2", "Im2col"): ((2, 3, 7, 8), (2, 18, 3, 4), None),
    convolution("kernel_size: 2 axis: 2", "Im2col"): ((2, 3, 2, 5, 5), (2, 3, 8, 4, 4), None),
}


@pytest.mark.parametrize("text", SIZES)
def test_shapes_and_gradient(text):
    bottom, top, weight = SIZES[text]
    run = run_layer(text, [values(*bottom)])
    assert run.y.shape == top
    assert [blob.shape for blob in run.layer.blobs[:1]] == ([weight] if weight else [])
    if 0 not in bottom:
        check_gradient(text, [values(*bottom)], rtol=1e-6)


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_bottoms_share_the_weight(kind):
    text = convolution("num_output: 2 kernel_size: 3", kind)
    check_gradient(text, [values(2, 3, 5, 6), values(2, 3, 5, 6)], tops=2, rtol=1e-6)
    weight, bias, (a, b) = values(2, 3, 3, 3), values(2), values(2, 1, 3, 5, 6)
    weight = weight if kind == "Convolution" else weight.swapaxes(0, 1)
    both = run_layer(text, [a, b], tops=2, params=[weight, bias])
    for i, x in enumerate((a, b)):
        assert (both.top[i].data == run_layer(text, [x], params=[weight, bias]).y).all()


def test_taps_outside_read_zero():
    """The kernel passes the padded input by less than the stride: one output (the original truncates)."""
    run = run_layer(convolution("num_output: 1 kernel_size: 5 stride: 3"), [np.ones((1, 1, 3, 4))],
                    params=[np.ones((1, 1, 5, 5)), [0.5]])
    assert run.y.tolist() == [[[[12.5]]]]


def test_padding_of_1x1_holds_the_bias():
    run = run_layer(convolution("num_output: 1 kernel_size: 1 pad: 1"), [np.ones((1, 1, 2, 2))], params=[2, 3])
    assert (run.y[0, 0] == np.pad(np.full((2, 2), 5), 1, constant_values=3)).all()


def test_gaps_of_deconvolution_hold_the_bias():
    run = run_layer(convolution("num_output: 1 kernel_size: 1 stride: 3", "Deconvolution"), [np.ones((1, 1, 2, 2))],
                    params=[2, 3])
    want = np.full((4, 4), 3)
    want[::3, ::3] = 5
    assert (run.y[0, 0] == want).all()


def test_bilinear_upsampling_of_a_constant_is_constant_inside():
    text = convolution("num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1 bias_term: false "
                       "weight_filler { type: 'bilinear' }", "Deconvolution")
    run = run_layer(text, [np.full((1, 3, 4, 5), 7)])
    assert run.y.shape == (1, 3, 8, 10)
    assert (run.y[:, :, 1:-1, 1:-1] == 7).all()


def test_parameter_gradients_add_up_and_bottom_gradients_do_not():
    text, x, diff = convolution("num_output: 2 kernel_size: 3"), values(1, 2, 4, 4), values(1, 2, 2, 2)
    run = run_layer(text, [x], top_diffs=[diff])
    once = [blob.diff.copy() for blob in (*run.layer.blobs, run.bottom[0])]
    run.layer.backward(run.top, [True], run.bottom)
    for blob, before, factor in zip((*run.layer.blobs, run.bottom[0]), once, (2, 2, 1), strict=True):
        np.testing.assert_allclose(blob.diff, factor * before, rtol=1e-6)


@pytest.mark.parametrize(("text", "shape"), [
    (convolution("num_output: 2 kernel_size: 3"), (1, 2, 4, 4)),
    (convolution("num_output: 2 kernel_size: 3", "Deconvolution"), (1, 2, 4, 4)),
    (inner_product("num_output: 2"), (2, 3)),
])
def test_backward_writes_only_what_is_wanted(text, shape):
    run = build_layer(text, [values(*shape)])
    run.layer.forward(run.bottom, run.top)
    assert all(blob.memories[1].head is Head.NONE for blob in (*run.layer.blobs, *run.bottom, *run.top))
    run.top[0].diff[...] = 1
    run.layer.param_propagate_down = [False, True]
    run.layer.backward(run.top, [False], run.bottom)
    weight, bias = run.layer.blobs
    assert weight.memories[1].head is run.bottom[0].memories[1].head is Head.NONE
    assert (bias.diff == run.y.size / 2).all()


def test_another_size_at_the_next_reshape():
    run = run_layer(convolution("num_output: 2 kernel_size: 3"), [values(1, 2, 4, 4)])
    run.bottom[0].reshape(3, 2, 6, 5)
    run.layer.reshape(run.bottom, run.top)
    run.layer.forward(run.bottom, run.top)
    assert run.y.shape == (3, 2, 4, 3)


ERRORS = {  # text: (shape of the bottom, what the message says)
    convolution("num_output: 2 kernel_size: 0"): ((2, 3, 5, 5), "'kernel_size' must be at least 1, got 0"),
    convolution("num_output: 2 kernel_h: 3"): ((2, 3, 5, 5), "'kernel_w' must be at least 1, got 0"),
    convolution("num_output: 2 kernel_size: 3 stride: 0"): ((2, 3, 5, 5), "'stride' must be at least 1, got 0"),
    convolution("num_output: 2 kernel_size: 3 stride_h: 2"): ((2, 3, 5, 5), "'stride_w' must be at least 1, got 0"),
    convolution("num_output: 2 kernel_size: 3 kernel_h: 3 kernel_w: 3"):
        ((2, 3, 5, 5), "give either 'kernel_size' or 'kernel_h' and 'kernel_w', not both"),
    convolution("num_output: 2 kernel_size: 3 stride: 1 stride_h: 2 stride_w: 2"):
        ((2, 3, 5, 5), "give either 'stride' or 'stride_h'"),
    convolution("num_output: 2 kernel_size: 3 pad: 1 pad_h: 1"): ((2, 3, 5, 5), "give either 'pad' or 'pad_h'"),
    convolution("num_output: 2 kernel_size: 3 kernel_size: 3 kernel_size: 3"):
        ((2, 3, 5, 5), r"'kernel_size' must be given once or once per spatial axis \(2\), got it 3 times"),
    convolution("num_output: 2"): ((2, 3, 5, 5), "'kernel_size' must be given once or .* got it 0 times"),
    convolution("num_output: 2 kernel_h: 2 kernel_w: 2"):
        ((1, 2, 4, 4, 4), "'kernel_h' and 'kernel_w' are for 2 spatial axes, the bottom has 3"),
    convolution("kernel_size: 3"): ((2, 3, 5, 5), "'num_output' must be at least 1, got 0"),
    convolution("num_output: 2 kernel_size: 3 group: 0"): ((2, 3, 5, 5), "'group' must be at least 1, got 0"),
    convolution("num_output: 3 kernel_size: 3 group: 2"):
        ((1, 4, 5, 5), r"num_output \(3\) must be a multiple of group \(2\)"),
    convolution("num_output: 4 kernel_size: 3 group: 2"):
        ((1, 3, 5, 5), r"channels of the bottom \(3\) must be a multiple of group \(2\)"),
    convolution("num_output: 2 kernel_size: 9"): ((2, 3, 5, 5), r"kernel of \(9, 9\).* leaves an output of \(-3, -3\)"),
    convolution("num_output: 2 kernel_size: 6"): ((2, 3, 5, 5), r"leaves an output of \(0, 0\)"),
    convolution("num_output: 2 kernel_size: 1 "): ((2, 0, 5, 5), r"\(2, 0, 5, 5\) has no channels"),
    convolution("num_output: 2 kernel_size: 1 axis: 4"): ((2, 3, 5, 5), "axis 4 is out of range"),
    convolution("num_output: 2 kernel_size: 2 pad: 3", "Deconvolution"):
        ((1, 1, 1, 1), r"leaves an output of \(-4, -4\)"),
    convolution("kernel_size: 6", "Im2col"): ((2, 3, 5, 5), r"leaves an output of \(0, 0\)"),
    inner_product(""): ((2, 3), "'num_output' must be at least 1, got 0"),
    inner_product("num_output: 2"): ((2, 0), r"\(2, 0\) has no values from axis 1 on"),
    inner_product("num_output: 2 axis: 2"): ((2, 3), "axis 2 is out of range"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_error(text):
    shape, message = ERRORS[text]
    with pytest.raises(errors.LayerError, match=message):
        build_layer(text, [np.zeros(shape)])


@pytest.mark.parametrize(("text", "shape", "message"), [
    (convolution("num_output: 2 kernel_size: 3"), (2, 4, 5, 5), r"has 4 channels, the weight \(2, 3, 3, 3\) is for 3"),
    (convolution("num_output: 2 kernel_size: 3"), (2, 3, 5), r"now has 3 axes \(\(2, 3, 5\)\).* set up for 4"),
    (convolution("num_output: 2 kernel_size: 3"), (2, 3, 5, 1), r"leaves an output of \(3, -1\)"),
    (inner_product("num_output: 2"), (2, 3, 5), r"has 15 values from axis 1 on, the weight \(2, 75\) is for 75"),
])
def test_error_of_a_later_reshape(text, shape, message):
    run = build_layer(text, [np.zeros((2, 3, 5, 5))])
    run.bottom[0].reshape(*shape)
    with pytest.raises(errors.ShapeError, match=message):
        run.layer.reshape(run.bottom, run.top)


def test_bottoms_of_different_shapes():
    with pytest.raises(errors.ShapeError, match=r"same shape, got \[\(2, 3, 5, 5\), \(2, 3, 6, 6\)\]"):
        build_layer(convolution("num_output: 2 kernel_size: 3"), [np.zeros((2, 3, n, n)) for n in (5, 6)], tops=2)


@pytest.mark.parametrize("text", [convolution("num_output: 3 kernel_size: 1"), inner_product("num_output: 75"),
                                  convolution("kernel_size: 1", "Im2col")])
def test_in_place_is_refused(text):
    with pytest.raises(errors.LayerError, match="in place"):
        build_layer(text, [np.zeros((2, 3, 5, 5))], in_place=True)
